"""Gates from the command line: exit codes, and that changing them computes nothing again."""

import json
import re
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from metarobust.cli.main import cli
from metarobust.core.errors import AttackError, ConfigError
from tests.support.tiny_project import write_yaml

THREAT = "noise-linf eps=0.1"


@pytest.fixture
def audit(tiny, tmp_path):
    def run(*gates):
        config = write_yaml(tmp_path / "tiny.yaml", tiny.audit(episodes=8, gates=list(gates)))
        done = CliRunner().invoke(cli, ["audit", str(config), "--out", str(tmp_path / "run")])
        if isinstance(done.exception, Exception):
            raise done.exception
        return done

    run.folder = tmp_path / "run"
    return run


def test_a_kept_gate_exits_0_and_a_broken_one_1_without_computing_again(audit):
    done = audit(f"accuracy[{THREAT}] >= 0")
    assert done.exit_code == 0
    assert "The gate passed." in done.stderr
    done = audit(f"accuracy[{THREAT}] >= 100 %")
    assert done.exit_code == 1
    assert "8 blocks are there already" in done.stderr
    assert "The gate failed." in done.stderr
    assert done.stdout == ""
    (suite,) = ElementTree.parse(audit.folder / "junit.xml").getroot()
    assert suite.get("failures") == "1"
    summary = json.loads((audit.folder / "summary.json").read_text())
    assert [gate["passed"] for gate in summary["gates"]] == [False]


def test_the_report_judges_the_gates_of_the_run_again(audit):
    audit("accuracy[clean] >= 0")
    again = CliRunner().invoke(cli, ["report", str(audit.folder)])
    assert again.exit_code == 0
    config = audit.folder / "config.yaml"
    config.write_text(config.read_text().replace(">= 0", ">= 100 %"))
    again = CliRunner().invoke(cli, ["report", str(audit.folder)])
    assert again.exit_code == 1
    assert "The gate failed." in again.stderr


def test_a_gate_without_a_cell_is_refused_before_anything_is_computed(audit):
    with pytest.raises(ConfigError, match=re.escape("no cell 'noise-lin': did you mean 'noise-")):
        audit("accuracy[noise-lin] >= 0")
    assert not audit.folder.exists()


def test_failed_cells_win_over_failed_gates(audit, monkeypatch):
    def broken(task):
        raise AttackError("broken on purpose")

    monkeypatch.setattr("metarobust.audit.run.run_block", broken)
    done = audit(f"accuracy[{THREAT}] >= 0")
    assert done.exit_code == 3
    assert "no value: no episode was evaluated" in done.stderr
