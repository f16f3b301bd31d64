"""The kill loop: `kill -9` at random instants, the same command again, the same table."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import metarobust
from metarobust.audit.store import RunStore
from tests.support.processes import living, wait_for

DRIVER = Path(__file__).with_name("kill_driver.py")
WORKERS = 2
CELLS = 3

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes in /proc")


def launch(folder, log, blocks):
    """The driver as the leader of its own process group, which its workers inherit."""
    root = Path(metarobust.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, DRIVER, folder, log, str(blocks)],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(driver):
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 0, errors


def log_lines(log, word):
    if not log.exists():
        return []
    return [line.split()[1] for line in log.read_text().splitlines() if line.startswith(word)]


def table(folder):
    """Every row of every table, in an order that does not depend on when it was written."""
    connection = sqlite3.connect(folder / "run.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = {
        name: sorted(connection.execute(f"SELECT * FROM {name}"))
        for name in ("audit", "cell", "block", "failure", "environment")
    }
    connection.close()
    return rows


def kill_loop(tmp_path, blocks, kills, seed):
    folder, log = tmp_path / "killed", tmp_path / "log"
    rng = random.Random(seed)
    caught_in_the_middle = 0
    for kill in range(kills):
        driver = launch(folder, log, blocks)
        if kill % 3:  # in the middle of the work
            seen = len(log_lines(log, "stored"))
            assert wait_for(lambda seen=seen: len(log_lines(log, "stored")) > seen, 30)
            time.sleep(rng.uniform(0.0, 0.3))
        else:  # while it starts
            time.sleep(rng.uniform(0.0, 0.4))
        assert driver.poll() is None, f"kill {kill} came too late: the work is too short"
        if kill % 2:
            driver.kill()
        else:
            os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
        driver.stderr.close()
        assert wait_for(lambda driver=driver: not living(driver.pid), 6), "orphans"
        stored = set(log_lines(log, "stored"))
        if stored:
            with RunStore.read(folder) as store:
                assert stored <= store.finished()
        caught_in_the_middle += 0 < len(stored) < blocks * CELLS
    finish(launch(folder, log, blocks))
    starts = Counter(log_lines(log, "start"))
    assert caught_in_the_middle >= kills // 2
    assert len(starts) == blocks * CELLS
    assert starts.total() - len(starts) <= kills * WORKERS

    finish(launch(tmp_path / "quiet", tmp_path / "quiet-log", blocks))
    assert table(folder) == table(tmp_path / "quiet")


def test_four_kills(tmp_path):
    kill_loop(tmp_path, blocks=40, kills=4, seed=0)


@pytest.mark.slow
def test_eighteen_kills(tmp_path):
    kill_loop(tmp_path, blocks=150, kills=18, seed=1)


def test_a_finished_run_computes_nothing_again(tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    for _ in range(2):
        finish(launch(folder, log, 2))
    assert Counter(log_lines(log, "start")).total() == 2 * CELLS
