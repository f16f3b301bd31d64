"""Writing leaves a complete folder, whole files and nothing of an older report."""

import subprocess
import sys

from metarobust.report.write import write_report


def test_every_file_is_written_and_linked(written):
    folder, files = written
    assert {path for path in folder.rglob("*") if path.is_file()} == set(files)
    assert [path.name for path in files[:7]] == [
        "report.html",
        "report.md",
        "report.tex",
        "cells.csv",
        "cells.parquet",
        "summary.json",
        "learners.csv",
    ]
    markdown = (folder / "report.md").read_text()
    for path in files[7:]:
        assert path.suffix == ".pdf" or f"figures/{path.name}" in markdown


def test_only_our_own_old_figures_are_removed(tmp_path, empty_model):
    figures = tmp_path / "figures"
    figures.mkdir()
    for name in ("accuracy-99-eps-query-l2.svg", "episode-07.pdf", "notes.txt", "my-plot.svg"):
        (figures / name).write_text("old")
    write_report(tmp_path, empty_model)
    assert {path.name for path in figures.iterdir()} == {"notes.txt", "my-plot.svg"}


def test_the_report_needs_no_torch():
    code = "import sys, metarobust.report.write; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
