"""Run tasks in processes: a dying worker costs its own task, a dying driver leaves no orphan."""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any, Generic, NamedTuple, TypeVar

from metarobust.core.errors import ConfigError, MetarobustError

T = TypeVar("T")
R = TypeVar("R")

MAX_TRIES = 4


class WorkerDiedError(MetarobustError):
    """A task killed its worker process every time it was tried."""


class RemoteError(MetarobustError):
    """Stands for an error of a worker that cannot travel to the driver itself."""


@dataclass(frozen=True)
class TaskResult(Generic[R]):
    """What became of one task.

    Attributes:
        index: its place in the sequence of items.
        value: what the function returned; None if it failed.
        error: the exception it raised, or `WorkerDiedError`; None if it succeeded.
        tries: how often it was started.
        trace: the traceback of the error as text, empty where there is none.
    """

    index: int
    value: R | None
    error: BaseException | None
    tries: int
    trace: str = ""


def run_tasks(
    fn: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] = (),
    torch_threads: int | None = 1,
) -> Generator[TaskResult[R], None, None]:
    """Apply a function to every item and yield each result as it is finished.

    One task never harms another: an exception is that task's error, and a worker that dies (out
    of memory, a crash in native code, a kill) costs only the tasks that were running: each is tried
    again alone, up to 4 starts in all. With one worker the tasks run in this process, where nothing
    can survive a crash. A task is handed out only when the result before it has been consumed, so a
    killed driver wastes at most `workers` tasks.

    Close the generator (`contextlib.closing`) so that workers stop at once when its consumer is
    interrupted.

    Args:
        fn: a module-level function.
        items: plain data that pickles: recipes of what to build, not built objects.
        workers: how many processes, at least 1.
        initializer: called once in each process before its first task. An exception it raises is
            the error of every task.
        initargs: its arguments.
        torch_threads: torch threads of a process. Gradients depend on it in their last bits, so
            it is the same for any number of workers, 1 unless told otherwise; None leaves torch
            alone, and not imported.

    Raises:
        ConfigError: fewer than one worker.
    """
    if workers < 1:
        raise ConfigError(f"workers: expected 1 or more, got {workers}")
    setup = _Setup(torch_threads, initializer, initargs)
    if workers == 1:
        return _in_process(fn, items, setup)
    return _in_workers(fn, items, workers, setup)


@dataclass(frozen=True)
class _Setup:
    torch_threads: int | None
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]

    def initialise(self) -> None:
        if self.initializer is not None:
            self.initializer(*self.initargs)


def _in_process(
    fn: Callable[[T], R], items: Sequence[T], setup: _Setup
) -> Generator[TaskResult[R], None, None]:
    with _torch_threads(setup.torch_threads):
        ready = False
        for index, item in enumerate(items):
            try:
                if not ready:
                    setup.initialise()
                    ready = True
                result = TaskResult(index, fn(item), None, 1)
            except (Exception, SystemExit) as error:
                result = TaskResult(index, None, error, 1, traceback.format_exc())
            yield result


@contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` threads, and give it back what it had."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_workers(
    fn: Callable[[T], R], items: Sequence[T], workers: int, setup: _Setup
) -> Generator[TaskResult[R], None, None]:
    tries = [0] * len(items)
    waiting, suspects = deque(range(len(items))), deque[int]()
    while waiting or suspects:
        batch, size = (suspects, 1) if suspects else (waiting, min(workers, len(waiting)))
        for index in (yield from _in_pool(fn, items, batch, tries, size, setup)):
            if tries[index] < MAX_TRIES:
                suspects.append(index)
                continue
            died = WorkerDiedError(
                f"the worker process died each of the {MAX_TRIES} times it ran this task: out of "
                "memory, killed, or a crash in native code"
            )
            yield TaskResult(index, None, died, tries[index])


def _in_pool(
    fn: Callable[[T], R],
    items: Sequence[T],
    batch: deque[int],
    tries: list[int],
    size: int,
    setup: _Setup,
) -> Generator[TaskResult[R], None, list[int]]:
    """Empty the batch, or stop when a worker dies; return the tasks that were running then."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    leash, driver_end = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(
        size, mp_context=context, initializer=_start_worker, initargs=(leash,)
    )
    recipe = pickle.dumps((setup, fn))
    running: dict[Future[_Parcel], int] = {}
    lost: list[int] = []
    broken = False
    try:
        while True:
            while batch and len(running) < size and not broken:
                try:
                    future = executor.submit(_call, recipe, pickle.dumps(items[batch[0]]))
                except BrokenProcessPool:
                    broken = True
                    break
                running[future] = index = batch.popleft()
                tries[index] += 1
            if not running:
                return lost
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                index = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(index)
                    broken = True
                else:
                    yield _opened(index, future.result(), tries[index])
    except BaseException:
        driver_end.close()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        driver_end.close()
        leash.close()


def _start_worker(leash: Connection) -> None:
    """Prepare a worker: Ctrl-C is the driver's business, and nothing outlives the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(leash,), daemon=True).start()


def _follow(leash: Connection) -> None:
    """End this process when the driver's end of the leash closes, also by `kill -9`."""
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(3)


class _Parcel(NamedTuple):
    """An outcome on its way to the driver, in types that arrive whatever the task returned."""

    pickled: bytes
    summary: str = ""
    trace: str = ""


def _call(recipe: bytes, item: bytes) -> _Parcel:
    """Run one task in a worker; bytes, so that what does not unpickle is this task's error."""
    try:
        value = _prepared(recipe)(pickle.loads(item))
        return _Parcel(pickle.dumps((value, None)))
    except (Exception, SystemExit) as error:
        pickled = b""
        with suppress(Exception):
            pickled = pickle.dumps((None, error))
        return _Parcel(pickled, f"{type(error).__name__}: {error}", traceback.format_exc())


@lru_cache(maxsize=1)
def _prepared(recipe: bytes) -> Callable[[Any], Any]:
    """The task's function, once this worker is set up for it."""
    setup, fn = pickle.loads(recipe)
    if setup.torch_threads is not None:
        import torch

        torch.set_num_threads(setup.torch_threads)
    setup.initialise()
    function: Callable[[Any], Any] = fn
    return function


def _opened(index: int, parcel: _Parcel, tries: int) -> TaskResult[Any]:
    try:
        value, error = pickle.loads(parcel.pickled)
    except Exception as problem:
        summary = parcel.summary or f"its result does not unpickle in the driver: {problem}"
        value, error = None, RemoteError(summary)
    return TaskResult(index, value, error, tries, parcel.trace)
