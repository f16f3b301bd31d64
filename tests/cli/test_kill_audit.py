"""`kill -9` of a real audit, then the same command: nothing twice, nothing lost, the same table."""

import os
import random
import re
import signal
import sqlite3
import sys
import time

import pytest

from metarobust.audit.plan import make_plan
from metarobust.audit.read import read_run
from metarobust.audit.run import run_audit
from metarobust.audit.runfile import reading
from metarobust.config.audit import AuditConfig
from metarobust.core.errors import StoreError
from metarobust.report.model import build_report
from metarobust.report.tables import render_csv
from tests.support.processes import finish, living, start, wait_for
from tests.support.tiny_project import write_yaml

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes in /proc")


def stored(folder):
    """Key, wall time and digest of every finished block; the wall time tells who computed it."""
    try:
        with reading(folder) as connection:
            return set(connection.execute("SELECT key, seconds, sha256 FROM block"))
    except (StoreError, sqlite3.OperationalError):  # nothing there yet, or no table
        return set()


def kill_audit(tiny, tmp_path, *, episodes, kills, seed):
    slow = {"recipe": "pgd-linf", "eps": 0.1, "steps": 30, "restarts": 2}
    settings = tiny.audit(threats=[slow], episodes=episodes, block=1)
    write_yaml(tmp_path / "audit.yaml", settings)
    folder, rng = tmp_path / "runs" / "tiny", random.Random(seed)
    before = set()
    for kill in range(kills):
        workers = 1 + kill % 2
        driver = start("audit", "audit.yaml", "--workers", workers, folder=tmp_path)
        assert wait_for(lambda before=before: len(stored(folder)) >= len(before) + 2)
        time.sleep(rng.uniform(0.0, 0.1))
        if workers == 2:
            driver.kill()  # its workers must notice
        else:
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        assert wait_for(lambda driver=driver: not living(driver.pid), 10), "orphans"
        after = stored(folder)
        assert before < after, "a finished block was lost or computed again"
        assert len(after) < 2 * episodes, "the kill came too late: the work is too short"
        before = after
    code, _, err = finish(start("audit", "audit.yaml", folder=tmp_path))
    assert code == 0, err
    assert before < stored(folder)
    assert len(stored(folder)) == 2 * episodes
    assert int(re.search(r"(\d+) blocks are there already", err)[1]) == len(before)

    quiet = tmp_path / "quiet"
    run_audit(make_plan(AuditConfig.model_validate(settings), episodes=None), quiet)
    assert {(k, sha) for k, _, sha in stored(quiet)} == {(k, sha) for k, _, sha in stored(folder)}
    run = read_run(quiet)
    table = render_csv(build_report(run.manifest, run.cells, run.verdicts))
    assert (folder / "cells.csv").read_text() == table


def test_two_kills(tiny, tmp_path):
    kill_audit(tiny, tmp_path, episodes=20, kills=2, seed=0)


@pytest.mark.slow
def test_ten_kills(tiny, tmp_path):
    kill_audit(tiny, tmp_path, episodes=60, kills=10, seed=1)


def test_an_interrupt_ends_with_130_and_the_same_command_goes_on(tiny, tmp_path):
    slow = {"recipe": "pgd-linf", "eps": 0.1, "steps": 30, "restarts": 2}
    write_yaml(tmp_path / "audit.yaml", tiny.audit(threats=[slow], episodes=20, block=1))
    folder = tmp_path / "runs" / "tiny"
    driver = start("audit", "audit.yaml", folder=tmp_path)
    assert wait_for(lambda: stored(folder))
    driver.send_signal(signal.SIGINT)
    code, out, err = finish(driver)
    assert (code, out) == (130, "")
    assert err.strip().endswith("interrupted; the same command goes on from here")
    assert "Traceback" not in err
    assert read_run(folder).manifest["status"] == "interrupted"
    assert 0 < len(stored(folder)) < 40
