"""The driver of an audit: compute what is missing, store each block at once, lose nothing."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.cell import BlockTask, run_block
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.manifest import FILE, read_manifest
from metarobust.audit.payload import decode
from metarobust.audit.plan import Plan, PlannedBlock
from metarobust.audit.score_accuracy import episode_accuracies
from metarobust.audit.stopping import EPISODES, HALF_WIDTH, Precision
from metarobust.audit.store import BlockRow, CellRow, FailureRow, RunStore
from metarobust.audit.workers import TaskResult, run_tasks
from metarobust.config.audit import AuditConfig
from metarobust.config.model import plain
from metarobust.config.yaml import dump_yaml
from metarobust.core.device import resolve_device, usable_cores
from metarobust.core.digest import digest_json
from metarobust.core.environment import command_line, environment, now
from metarobust.core.errors import ConfigError, StoreError
from metarobust.core.jsonio import write_atomic, write_json

MANIFEST_SCHEMA = 1

OnBlock = Callable[[PlannedBlock, TaskResult[BlockRow]], None]
"""Told after each block: which, and what became of it."""


@dataclass(frozen=True)
class AuditResult:
    """How an audit ended.

    Attributes:
        folder: the run folder.
        computed: blocks computed now.
        reused: blocks that were there already.
        failed: blocks without evidence, because they failed now or in an earlier call.
        episodes: of each cell; fewer than planned where every accuracy was precise before.
        stopped: `half-width` or `episodes`, where a half-width was asked for.
    """

    folder: Path
    computed: int
    reused: int
    failed: int
    episodes: int
    stopped: str | None = None

    @property
    def status(self) -> str:
        """`complete` or `incomplete`."""
        return "incomplete" if self.failed else "complete"


def worker_count(config: AuditConfig) -> int:
    """Processes to use: as configured, or one for each core on a CPU and one on a GPU."""
    if config.workers != "auto":
        return int(config.workers)
    return usable_cores() if resolve_device(config.device).type == "cpu" else 1


def run_audit(
    plan: Plan,
    folder: Path,
    *,
    retry_failed: bool = False,
    allowed_code: frozenset[str] = frozenset(),
    until_halfwidth: float | None = None,
    on_start: Callable[[int, int], None] = lambda todo, done: None,
    on_block: OnBlock = lambda block, result: None,
) -> AuditResult:
    """Compute every block of a plan that the run folder does not hold yet.

    Each block is on disk before the next result is taken, so a kill at any moment costs only the
    blocks being computed, and the same command resumes. A failed block is a row of its own; it is
    tried again only when asked to.

    Args:
        plan: what to compute.
        folder: the run folder; made if it is absent.
        retry_failed: try blocks again that failed in an earlier call.
        allowed_code: plug-in files the user has named on the command line.
        until_halfwidth: stop as soon as every cell's accuracy is known within this; blocks that
            were computed beyond that stay in the folder and are not shown.
        on_start: told how many blocks there are to compute, and how many are done already.
        on_block: told of each block as it is finished.

    Raises:
        StoreError: the folder holds another experiment, is in use, or cannot be written.
        ConfigError: a half-width is asked for of a regression.
    """
    config = plan.config
    if until_halfwidth is not None and plan.dataset["task"] == "regression":
        raise ConfigError("--until-halfwidth looks at accuracy, which a regression does not have")
    workers = worker_count(config)
    blocks = list(plan.blocks())
    with RunStore.open(folder, plan.experiment, create=True) as store:
        write_atomic(folder / "config.yaml", dump_yaml(plain(config)))
        manifest = _Manifest(plan, folder, workers, until_halfwidth)
        manifest.write("running")
        store.set_environment(environment())
        store.add_cells(_cell_rows(plan, plan.episodes))
        finished = store.finished()
        skipped = set() if retry_failed else {row.key for row in store.failures()}
        watch = None
        if until_halfwidth is not None:
            watch = _recall(store, blocks, finished, skipped, until_halfwidth)
        todo = [b for b in _within(blocks, watch) if b.key not in finished | skipped]
        on_start(len(todo), sum(block.key in finished for block in blocks))
        tasks = [_task(block, allowed_code) for block in todo]
        try:
            with closing(run_tasks(run_block, tasks, workers=workers)) as results:
                for result in results:
                    block = todo[result.index]
                    if result.value is not None:
                        store.put(result.value)
                    else:
                        store.fail(_failure(block, result.error, result.tries))
                    on_block(block, result)
                    if watch is not None:
                        watch.add(block.cell.key, block.start, _accuracies(result.value))
                        if watch.episodes is not None:
                            break
        except BaseException:
            manifest.write("interrupted")
            raise
        ended = _ending(folder, plan, _within(blocks, watch), finished, store.finished(), watch)
        store.add_cells(_cell_rows(plan, ended.episodes))
        manifest.write(ended.status, stopped=ended.stopped, evaluated=ended.episodes)
    return ended


def _cell_rows(plan: Plan, episodes: int) -> list[CellRow]:
    return [CellRow(cell.key, cell.position, episodes, cell.description) for cell in plan.cells]


def _recall(
    store: RunStore,
    blocks: Sequence[PlannedBlock],
    finished: Set[str],
    failed: Set[str],
    half_width: float,
) -> Precision:
    """The precision of what the run folder holds already."""
    watch = Precision(half_width, [(b.cell.key, b.start, b.count) for b in blocks])
    known = {
        cell.key: (cell.arrays["number"], episode_accuracies(cell))
        for cell in store.cells()
        if cell.episodes
    }
    for block in blocks:
        if block.key in finished:
            number, accuracies = known[block.cell.key]
            inside = (number >= block.start) & (number < block.start + block.count)
            watch.add(block.cell.key, block.start, accuracies[inside])
        elif block.key in failed:
            watch.add(block.cell.key, block.start, None)
    return watch


def _accuracies(row: BlockRow | None) -> npt.NDArray[np.float64] | None:
    if row is None:
        return None
    arrays = dict(decode(row.payload).arrays)
    return episode_accuracies(CellEvidence(row.cell, {}, row.count, arrays))


def _within(blocks: Sequence[PlannedBlock], watch: Precision | None) -> list[PlannedBlock]:
    """The blocks that count: those before the episode at which precision was reached."""
    if watch is None or watch.episodes is None:
        return list(blocks)
    return [block for block in blocks if block.start < watch.episodes]


def _ending(
    folder: Path,
    plan: Plan,
    blocks: Sequence[PlannedBlock],
    before: Set[str],
    after: Set[str],
    watch: Precision | None,
) -> AuditResult:
    missing = sum(block.key not in after for block in blocks)
    reused = sum(block.key in before for block in blocks)
    episodes, stopped = plan.episodes, None
    if watch is not None:
        episodes = watch.episodes or plan.episodes
        stopped = EPISODES if watch.episodes is None else HALF_WIDTH
    computed = len(blocks) - reused - missing
    return AuditResult(folder, computed, reused, missing, episodes, stopped)


def _task(block: PlannedBlock, allowed_code: frozenset[str]) -> BlockTask:
    cell = block.cell
    return BlockTask(
        config=cell.config.model_dump_json(),
        learner=cell.entry.model_dump_json(),
        recipe=None if cell.recipe is None else cell.recipe.model_dump_json(),
        allowed_code=allowed_code,
        scale=cell.scale,
        weights=cell.description["learner"]["weights"],
        dataset=cell.description["dataset"]["digest"],
        cell=cell.key,
        key=block.key,
        start=block.start,
        count=block.count,
    )


def _failure(block: PlannedBlock, error: BaseException | None, tries: int) -> FailureRow:
    return FailureRow(
        key=block.key,
        cell=block.cell.key,
        start=block.start,
        error=type(error).__name__,
        message=str(error).encode(errors="replace").decode(),
        tries=tries,
    )


class _Manifest:
    """The manifest of a run, written at its start and at its end.

    A call that resumes a run keeps the day it was created and adds its own seconds; those of a call
    that was killed are lost.
    """

    def __init__(self, plan: Plan, folder: Path, workers: int, half_width: float | None) -> None:
        self._path = folder / FILE
        earlier = _earlier(folder)
        self._began = time.monotonic() - float(earlier.get("seconds") or 0)
        self._facts: Mapping[str, Any] = {
            "schema": MANIFEST_SCHEMA,
            "name": plan.config.name,
            "limited": plan.limited,
            "episodes": plan.episodes,
            "configured_episodes": plan.config.episodes,
            "until_halfwidth": half_width,
            "command": command_line(),
            "created": earlier.get("created") or now(),
            "seed": plan.config.seed,
            "device": str(resolve_device(plan.config.device)),
            "workers": workers,
            "digests": {
                "config": digest_json(plain(plan.config)),
                "dataset": plan.dataset["digest"],
                "cells": plan.experiment["cells"],
                "weights": plan.experiment["weights"],
            },
            **environment(),
        }

    def write(
        self, status: str, *, stopped: str | None = None, evaluated: int | None = None
    ) -> None:
        """Write it with a status; `finished` only once the run has ended."""
        write_json(
            self._path,
            {
                **self._facts,
                "status": status,
                "stopped": stopped,
                "evaluated": evaluated,
                "finished": None if status == "running" else now(),
                "seconds": round(time.monotonic() - self._began, 1),
            },
        )


def _earlier(folder: Path) -> Mapping[str, Any]:
    """The manifest of the call that this one resumes; empty if there is none to be read."""
    with suppress(StoreError):
        return read_manifest(folder)
    return {}
