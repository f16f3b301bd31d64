"""`metarobust compare` on two tiny audits that really ran, and its refusals."""

import json
import sys

import pytest
from click.testing import CliRunner

from metarobust.audit.plan import make_plan
from metarobust.audit.run import run_audit
from metarobust.cli import main as entry
from metarobust.cli.main import cli
from metarobust.config.audit import AuditConfig
from tests.support.tiny_project import TinyProject


def audited(tiny: TinyProject, folder, **changes):
    config = AuditConfig.model_validate(tiny.audit(name=folder.name, **changes))
    run_audit(make_plan(config, episodes=None), folder)
    return folder


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return (
        audited(tiny, folder / "one"),
        audited(tiny, folder / "two", learners=[str(tiny.maml)]),
        audited(tiny, folder / "other", learners=[str(tiny.maml)], seed=7),
    )


def test_two_runs_are_compared(runs, tmp_path):
    out = tmp_path / "out"
    command = ["compare", str(runs[0]), str(runs[1]), "--out", str(out), "--json"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(done.stdout)
    assert content["reference"] == "protonet"
    assert content["threats"][0]["threat"] == "clean"
    assert content == json.loads((out / "compare.json").read_text())
    assert str(out / "compare.html") in done.stderr
    assert {p.suffix for p in (out / "figures").iterdir()} == {".svg", ".pdf"}


def test_the_reference_can_be_named_and_the_folder_has_a_default(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["compare", str(runs[0]), str(runs[1]), "--reference", "maml"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "Against maml" in done.stderr
    assert "note: No learner here was trained without episodes" in done.stderr
    assert (tmp_path / "runs" / "compare-one-two" / "compare.html").is_file()


def test_another_score_can_be_compared_and_a_pooled_one_is_refused(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["compare", str(runs[0]), str(runs[1]), "--score", "brier", "--json"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["score"] == "brier"
    assert (tmp_path / "runs" / "compare-brier-one-two" / "compare.html").is_file()
    monkeypatch.setattr(sys, "argv", ["metarobust", *command[:-2], "ece"])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((0, 2), "seed: expected 0 as in one, got 7 in other"),
        ((0,), "expected at least two learners"),
        ((0, 0), "more than once"),
    ],
)
def test_what_cannot_be_compared_is_said_without_a_traceback(
    runs, names, words, tmp_path, monkeypatch, capsys
):
    folders = [str(runs[i]) for i in names]
    monkeypatch.setattr(
        sys, "argv", ["metarobust", "compare", *folders, "--out", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metarobust", "compare", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 2
    assert "no run here" in capsys.readouterr().err
