"""`--until-halfwidth`: one stop whatever interrupts it, said in every file, extended later."""

import csv
import json

import jsonschema
import pytest
from click.testing import CliRunner

from metarobust.audit import run as driver
from metarobust.cli.main import cli
from metarobust.config.schema import schema
from tests.support.tiny_project import write_yaml

LIMIT = 0.12


@pytest.fixture
def audit(tiny, tmp_path):
    config = write_yaml(tmp_path / "tiny.yaml", tiny.audit(episodes=200, block=20))

    def run(*options, out="run"):
        arguments = ["audit", str(config), "--out", str(tmp_path / out), *options]
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
        return done

    run.folder = tmp_path
    return run


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def accuracies(folder):
    summary = json.loads((folder / "summary.json").read_text())
    jsonschema.validate(summary, schema("summary"))
    return [cell["scores"]["accuracy"] for cell in summary["cells"]], summary


def test_it_stops_says_so_everywhere_and_can_be_extended(audit):
    folder = audit.folder / "run"
    done = audit("--until-halfwidth", str(LIMIT))
    facts = manifest(folder)
    assert (facts["stopped"], facts["until_halfwidth"]) == ("half-width", LIMIT)
    assert 50 <= facts["evaluated"] < 200
    assert facts["status"] == "complete"
    scores, summary = accuracies(folder)
    assert summary["stopped"] == "half-width"
    assert {cell["episodes"] for cell in summary["cells"]} == {facts["evaluated"]}
    assert {cell["status"] for cell in summary["cells"]} == {"ok"}
    for score in scores:
        assert "confidence sequence" in score["method"]
        assert (score["high"] - score["low"]) / 2 <= LIMIT
    for name in ("report.html", "report.md", "report.tex"):
        assert "stopped: half-width" in (folder / name).read_text()
    with (folder / "cells.csv").open() as stream:
        assert {record["stopped"] for record in csv.DictReader(stream)} == {"half-width"}
    assert "stopped: half-width" in done.stderr

    again = audit("--until-halfwidth", str(LIMIT))
    assert manifest(folder)["evaluated"] == facts["evaluated"]
    assert accuracies(folder)[0] == scores
    assert "are there already" in again.stderr

    audit()
    assert manifest(folder)["stopped"] is None
    scores, summary = accuracies(folder)
    assert {cell["episodes"] for cell in summary["cells"]} == {200}
    assert summary["stopped"] is None
    assert {score["method"].split(",")[0] for score in scores} == {"t"}
    assert "stopped" not in (folder / "report.md").read_text()


def test_an_interrupted_run_stops_at_the_same_episode(audit, monkeypatch):
    audit("--until-halfwidth", str(LIMIT), out="whole")
    whole = driver.run_block
    calls = []

    def interrupted(task):
        calls.append(task)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(driver, "run_block", interrupted)
    config, out = audit.folder / "tiny.yaml", audit.folder / "parts"
    arguments = ["audit", str(config), "--out", str(out), "--until-halfwidth", str(LIMIT)]
    assert CliRunner().invoke(cli, arguments).exit_code != 0
    assert manifest(out)["status"] == "interrupted"
    audit("--until-halfwidth", str(LIMIT), out="parts")
    assert manifest(out)["evaluated"] == manifest(audit.folder / "whole")["evaluated"]
    assert accuracies(out)[0] == accuracies(audit.folder / "whole")[0]


def test_episodes_that_run_out_are_said_too(audit):
    audit("--until-halfwidth", "0.0001", "--episodes", "40")
    facts = manifest(audit.folder / "run")
    assert (facts["stopped"], facts["evaluated"]) == ("episodes", 40)
    text = (audit.folder / "run" / "report.md").read_text()
    assert "stopped: episodes (40 of 40 episodes were used up before every accuracy" in text
