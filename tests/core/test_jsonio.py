"""Files that are whole or absent, and what a killed writer leaves behind."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from metarobust.core import jsonio
from metarobust.core import writer as writer_module
from metarobust.core.errors import StoreError
from metarobust.core.jsonio import PARTIAL, sweep, write_atomic
from metarobust.core.writer import only_writer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

HANGS = """
import os, sys
from pathlib import Path
from metarobust.core.jsonio import write_atomic
os.fsync = lambda handle: (print("writing", flush=True), sys.stdin.read())
write_atomic(Path(sys.argv[1]), "new")
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of writing `tmp_path/config.yaml`."""
    path = tmp_path / "config.yaml"
    path.write_text("old")
    command = [sys.executable, "-c", HANGS, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def partial(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(PARTIAL)]


def test_a_file_that_is_being_written_is_not_swept(writer, tmp_path):
    sweep(tmp_path)
    assert len(partial(tmp_path)) == 1
    writer.communicate("")
    assert writer.returncode == 0
    assert (tmp_path / "config.yaml").read_text() == "new"
    assert not partial(tmp_path)


def test_what_a_killed_writer_left_is_swept_at_the_next_start(writer, tmp_path):
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert len(partial(tmp_path)) == 1
    (tmp_path / "figures").mkdir()
    (tmp_path / f"figures/.x.svg.1{PARTIAL}").touch()
    (tmp_path / ".mine.backup12").touch()
    with only_writer(tmp_path, StoreError):
        assert {path.name for path in tmp_path.iterdir()} == {
            "config.yaml",
            "figures",
            ".mine.backup12",
            "run.lock",
        }
    assert not partial(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "old"


def test_a_file_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    real, swept = jsonio.lock, []

    def lock(descriptor):
        if not swept:
            swept.extend(partial(tmp_path))
            swept[0].unlink()
        real(descriptor)

    monkeypatch.setattr(jsonio, "lock", lock)
    write_atomic(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert len(swept) == 1
    assert not partial(tmp_path)


def test_a_file_system_without_locks_is_written_and_never_swept(tmp_path, monkeypatch):
    def unsupported(descriptor):
        raise OSError(errno.ENOSYS, "Function not implemented")

    for module in (jsonio, writer_module):
        monkeypatch.setattr(module, "lock", unsupported)
    (tmp_path / f".x.1{PARTIAL}").touch()
    with only_writer(tmp_path, StoreError):
        write_atomic(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert [path.name for path in partial(tmp_path)] == [f".x.1{PARTIAL}"]


def test_a_folder_has_one_writer(tmp_path):
    with (
        only_writer(tmp_path, StoreError),
        pytest.raises(StoreError, match=rf"is writing this run \(process {os.getpid()} on "),
        only_writer(tmp_path, StoreError),
    ):
        pass
