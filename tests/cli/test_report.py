"""`metarobust report` writes the same report again, from the evidence alone."""

import json

import pytest

from metarobust.report.notebook import open_run
from tests.support.tiny_project import write_yaml

TEXTS = ("report.html", "report.md", "report.tex", "cells.csv", "summary.json")


@pytest.fixture
def folder(cli, tiny, tmp_path):
    threats = [{"recipe": "noise-linf", "eps": [0.05, 0.1]}]
    write_yaml(tmp_path / "audit.yaml", tiny.audit(threats=threats))
    assert cli("audit", "audit.yaml").code == 0
    return tmp_path / "runs" / "tiny"


@pytest.mark.usefixtures("figures")
def test_a_rebuilt_report_is_byte_identical(cli, folder):
    figures = sorted(folder.glob("figures/*.svg"))
    assert figures
    before = {path: path.read_bytes() for path in [*map(folder.joinpath, TEXTS), *figures]}
    for path in before:
        path.unlink()
    ended = cli("report", folder)
    assert (ended.code, ended.out) == (0, "")
    assert {path: path.read_bytes() for path in before} == before
    assert ended.err.splitlines()[0] == str(folder / "report.html")


def test_json_is_the_summary(cli, folder):
    ended = cli("report", folder, "--json")
    assert ended.out == (folder / "summary.json").read_text()
    assert json.loads(ended.out)["run"] == "tiny"


def test_a_notebook_says_the_same(folder):
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["verdict"] in open_run(folder)._repr_html_()


def test_it_needs_neither_data_nor_learners(cli, folder, tiny, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a report opens no data and no checkpoint")

    monkeypatch.setattr("metarobust.assembly.dataset.load_dataset", refuse)
    monkeypatch.setattr("metarobust.assembly.checkpoint.load_checkpoint", refuse)
    assert cli("report", folder).code == 0


def test_what_is_not_a_run_is_refused(cli, tmp_path, files):
    before = files()
    ended = cli("report", tmp_path / "nowhere")
    assert (ended.code, ended.out) == (2, "")
    assert "no run here; expected the folder of a metarobust run" in ended.err
    assert files() == before
