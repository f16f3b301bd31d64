"""The tiny project that these tests work on, and the command as a person gives it."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from metarobust.cli.main import main
from tests.support.tiny_project import own_cache, tiny

__all__ = ["own_cache", "tiny"]


class Ended(NamedTuple):
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """A function from words to what `metarobust WORDS` does, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["/usr/bin/metarobust", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def figures():
    """Asks for the figures of reports, which most tests do without since they take long to draw."""


@pytest.fixture(autouse=True)
def _quick_reports(request, monkeypatch):
    if "figures" not in request.fixturenames:
        monkeypatch.setattr("metarobust.report.write.draw_figures", lambda model: [])


@pytest.fixture
def files(tmp_path):
    """A function that lists every file of the folder that commands run in, by its relative name."""

    def listed() -> set[str]:
        found = (path for path in Path(tmp_path).rglob("*") if not path.is_dir())
        return {str(path.relative_to(tmp_path)) for path in found}

    return listed
