"""Every bad input that a command can meet: exit code 2, one clear message, nothing written."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.audit.bad_cases import CASES
from tests.audit.bad_place import Place
from tests.support.processes import ROOT
from tests.support.tiny_project import write_yaml


def everything(folder):
    """Every file with its content, the cache and SQLite's lock aside."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.lock"
    }


@pytest.mark.parametrize("case", CASES)
def test_a_bad_input_is_one_clear_message(cli, tiny, tmp_path, case):
    make, phrase = CASES[case]
    inside = tmp_path / "inside"
    inside.mkdir()
    os.chdir(inside)
    words = make(Place(inside, tiny))
    before = everything(tmp_path)
    ended = cli(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert phrase in ended.err
    assert len(ended.err.splitlines()) == 1
    assert len(ended.err) < 1000
    assert "weights_only" not in ended.err, "torch's own advice is to run the code"
    assert everything(tmp_path) == before


def test_all_mistakes_of_a_configuration_are_listed_each_with_its_line(cli, tmp_path):
    (tmp_path / "x.yaml").write_text(
        "name: a/b\ndataset: glyphs\nepisodes: none\nlearners: []\nthreats: [pgd-linf]\nblok: 3\n"
    )
    ended = cli("audit", "x.yaml")
    assert ended.code == 2
    for phrase in (
        "x.yaml, line 1: name: expected a name",
        "x.yaml, line 3: episodes: expected a whole number, got 'none'",
        "x.yaml, line 4: learners: expected at least 1",
        "x.yaml, line 6: blok: unknown key 'blok'; did you mean 'block'",
    ):
        assert phrase in ended.err
    assert len(ended.err.splitlines()) == 4


def test_a_module_beside_the_user_is_not_mistaken_for_ours(tmp_path):
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "metarobust"
    command.write_text("from metarobust.cli.main import main\nmain()\n")
    for name in ("metarobust.py", "yaml.py", "pydantic.py"):
        (tmp_path / name).write_text("raise SystemExit('not ours')")
    done = subprocess.run(
        [sys.executable, command, "show", "attack", "pgd-linf"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("name: pgd-linf")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs permissions")
def test_a_folder_without_permission_is_one_message(cli, tiny, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    write_yaml(tmp_path / "audit.yaml", tiny.audit())
    ended = cli("audit", "audit.yaml", "--out", "closed/run")
    assert ended.code == 2
    assert "Permission denied" in ended.err
    shutil.rmtree(tmp_path / "closed")
