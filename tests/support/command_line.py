"""The command as a person gives it, run in this process and in a folder of its own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from metarobust.cli.main import main


class Ended(NamedTuple):
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """A function from words to what `metarobust WORDS` does in `tmp_path`."""
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
def files(tmp_path: Path) -> Callable[[], set[str]]:
    """A function that lists every file below `tmp_path`, by its relative name."""

    def listed() -> set[str]:
        found = (path for path in tmp_path.rglob("*") if path.is_symlink() or not path.is_dir())
        return {str(path.relative_to(tmp_path)) for path in found}

    return listed
