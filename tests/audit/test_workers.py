"""Tasks in processes: order, errors, dying workers, interruption."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import metarobust
from metarobust.audit.workers import MAX_TRIES, RemoteError, WorkerDiedError, run_tasks
from metarobust.core.errors import ConfigError
from tests.support.processes import heeding_interrupts

HERE = Path(__file__).parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("worker_tasks")


def results(fn, items, workers, **options):
    options.setdefault("torch_threads", None)
    with closing(run_tasks(fn, items, workers=workers, **options)) as stream:
        found = {result.index: result for result in stream}
    assert sorted(found) == list(range(len(items)))
    return [found[index] for index in range(len(items))]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_once(tasks, workers):
    found = results(tasks.square, range(20), workers)
    assert [r.value for r in found] == [n * n for n in range(20)]
    assert {(r.error, r.tries, r.trace) for r in found} == {(None, 1, "")}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_items(tasks, workers):
    assert results(tasks.square, [], workers) == []


def test_one_worker_is_this_process_and_more_are_others(tasks):
    assert {r.value for r in results(tasks.process_id, range(3), 1)} == {os.getpid()}
    others = {r.value for r in results(tasks.process_id, range(8), 2)}
    assert 1 <= len(others) <= 2
    assert os.getpid() not in others


def test_workers_must_be_one_or_more(tasks):
    with pytest.raises(ConfigError, match="expected 1 or more, got 0"):
        run_tasks(tasks.square, [1], workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_is_the_tasks_own_and_is_not_retried(tasks, tmp_path, workers):
    log = tmp_path / "log"
    names = ["fine-0", "raise-1", "exit-2", "fine-3"]
    found = results(tasks.misbehave, [(str(log), name) for name in names], workers)
    assert [r.value for r in found] == ["FINE-0", None, None, "FINE-3"]
    assert isinstance(found[1].error, ValueError)
    assert str(found[1].error) == "cannot do raise-1"
    assert 'raise ValueError(f"cannot do {name}")' in found[1].trace
    assert isinstance(found[2].error, SystemExit)
    assert Counter(log.read_text().split()) == Counter(names)


def test_what_cannot_travel_is_the_tasks_own_error(tasks, tmp_path):
    names = ["unsendable-0", "value-1", "lambda-2", "fine-3"]
    found = results(tasks.misbehave, [(str(tmp_path / "log"), name) for name in names], 2)
    assert isinstance(found[0].error, RemoteError)
    assert str(found[0].error) == "UnsendableError: 1 and 2"
    assert isinstance(found[1].error, RemoteError)
    assert "does not unpickle in the driver" in str(found[1].error)
    assert found[2].error is not None
    assert found[3].value == "FINE-3"


@posix
def test_a_poison_task_fails_alone(tasks, tmp_path):
    log = tmp_path / "log"
    names = [f"fine-{n}" for n in range(12)]
    names[3], names[7] = "poison-3", "once-7"
    found = results(tasks.misbehave, [(str(log), name) for name in names], 2)
    starts = Counter(log.read_text().split())
    for name, result in zip(names, found, strict=True):
        # A neighbour may be stopped after it was handed over and before it logs its start.
        assert 1 <= starts[name] <= result.tries
        if name == "poison-3":
            assert isinstance(result.error, WorkerDiedError)
            assert starts[name] == result.tries == MAX_TRIES == 4
        else:
            assert (result.value, result.error) == (name.upper(), None)
    assert starts["once-7"] == 2
    # Each of the two deaths in company may cost the one neighbour that was running.
    assert sum(result.tries for result in found) <= len(names) + (MAX_TRIES - 1) + 1 + 2


@pytest.mark.parametrize("workers", [1, 2])
def test_the_initializer_runs_before_the_tasks(tasks, workers, monkeypatch):
    monkeypatch.setenv("METAROBUST_TEST_SETUP", "before")
    found = results(
        tasks.read_set_up, range(4), workers, initializer=tasks.set_up, initargs=("ready",)
    )
    assert {r.value for r in found} == {"ready"}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_initializer_that_fails_is_every_tasks_error(tasks, workers):
    found = results(tasks.square, range(3), workers, initializer=tasks.fail_to_set_up)
    assert [str(r.error) for r in found] == ["no device"] * 3
    assert {r.tries for r in found} == {1}


def test_torch_is_not_imported_unless_asked(tasks):
    assert [r.value for r in results(tasks.imported, ["torch"] * 2, 2)] == [False, False]


def test_one_torch_thread_whatever_the_number_of_workers(tasks):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for workers in (1, 2):
            found = results(tasks.torch_threads, range(2), workers, torch_threads=1)
            assert [r.value for r in found] == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_task_is_handed_out_only_when_the_last_result_was_consumed(tasks, tmp_path):
    log = tmp_path / "log"
    items = [(str(log), f"fine-{n}") for n in range(6)]
    with closing(run_tasks(tasks.misbehave, items, workers=2, torch_threads=None)) as stream:
        for consumed, _ in enumerate(stream):
            time.sleep(0.1)
            assert len(log.read_text().split()) <= consumed + 2


def test_closing_stops_running_tasks_at_once(tasks, tmp_path):
    log = tmp_path / "log"
    items = [(str(log), name) for name in ("fine-0", "sleep-1", "sleep-2")]
    started = time.monotonic()
    with closing(run_tasks(tasks.misbehave, items, workers=2, torch_threads=None)) as stream:
        assert next(stream).value == "FINE-0"
    assert time.monotonic() - started < 10


INTERRUPTED = """
import sys
from contextlib import closing
sys.path.insert(0, sys.argv[2])
from metarobust.audit.workers import run_tasks
from worker_tasks import misbehave
if __name__ == "__main__":
    items = [(sys.argv[1], "sleep-0"), (sys.argv[1], "sleep-1")]
    try:
        with closing(run_tasks(misbehave, items, workers=2, torch_threads=None)) as stream:
            list(stream)
    except KeyboardInterrupt:
        print("interrupted")
"""


@posix
@pytest.mark.parametrize("whole_group", [False, True])
def test_an_interrupt_reaches_the_driver_and_ends_the_workers(tmp_path, whole_group):
    script, log = tmp_path / "driver.py", tmp_path / "log"
    script.write_text(INTERRUPTED)
    log.touch()
    root = Path(metarobust.__file__).parents[1]
    with heeding_interrupts():
        driver = subprocess.Popen(
            [sys.executable, script, log, HERE],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with driver:
        deadline = time.monotonic() + 30
        while len(log.read_text().split()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        sent = time.monotonic()
        (os.killpg if whole_group else os.kill)(driver.pid, signal.SIGINT)
        out, err = driver.communicate(timeout=30)
    assert (out, err, driver.returncode) == ("interrupted\n", "", 0)
    assert time.monotonic() - sent < 10
