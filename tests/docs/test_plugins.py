"""The page on plug-ins: its commands run as printed, on its own files, only with permission."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from metarobust.core.jsonio import read_json

DOCS = Path(__file__).parents[2] / "docs"
FEWER = {
    "train": ["iterations=6", "validation.every=3", "validation.episodes=2"],
    "audit": ["episodes=1", "workers=1", "protocol.shots=1", "protocol.queries=1"],
}


def printed_commands():
    page = (DOCS / "plugins.md").read_text(encoding="utf-8")
    return [shlex.split(line)[1:] for line in re.findall(r"^    (metarobust .*)$", page, re.M)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr("metarobust.report.write.draw_figures", lambda model: [])
    for file in (DOCS / "examples" / "plugins").iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    return tmp_path


def test_the_commands_of_the_page_train_and_audit_its_plug_ins(cli, here):
    commands = printed_commands()
    assert [words[0] for words in commands] == ["train", "audit"]
    for words in commands:
        fewer = [word for change in FEWER[words[0]] for word in ("--set", change)]
        ended = cli(*words, *fewer)
        assert ended.code == 0, ended.err
    sidecar = read_json(here / "runs" / "soft-knn-glyphs" / "soft-knn-glyphs.json")
    assert sidecar["learned"].keys() == {"temperature"}
    files = {name.partition(":")[0] for name in sidecar["code"]}
    assert files == {"soft_knn.py", "small_resnet.py"}
    summary = read_json(here / "runs" / "soft-knn" / "summary.json")
    assert len(summary["cells"]) == 3


def test_neither_configuration_nor_checkpoint_runs_code_by_itself(cli, here):
    train, audit = printed_commands()
    ended = cli(*train[:2])
    assert (ended.code, ended.out) == (2, "")
    assert "--allow-code small_resnet.py" in ended.err
    fewer = [word for change in FEWER["train"] for word in ("--set", change)]
    assert cli(*train, *fewer).code == 0
    for words in (audit[:2], [*audit[:2], "--allow-code", "soft_knn.py"]):
        ended = cli(*words)
        assert (ended.code, ended.out) == (2, "")
        assert "--allow-code small_resnet.py" in ended.err
