"""Real `metarobust` commands in processes of their own, to be watched, interrupted and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import metarobust

ROOT = Path(metarobust.__file__).parents[1]


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Processes started here heed Ctrl-C, also where a shell started these tests deaf to it.

    A shell makes its background jobs ignore the signal, and children inherit that; a handler, which
    ends with `exec`, they do not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start(*words: object, folder: Path) -> subprocess.Popen[str]:
    """A command in a folder, as the leader of its own process group, which its workers inherit."""
    with heeding_interrupts():
        return subprocess.Popen(
            [sys.executable, "-m", "metarobust", *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def finish(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command, once it has ended."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def wait_for(condition: Callable[[], Any], seconds: float = 240) -> bool:
    """Whether a condition came true in time; long, for a busy machine is not a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def living(group: int) -> list[int]:
    """The processes of a group that are neither gone nor zombies; needs /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found
