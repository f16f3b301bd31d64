"""The driver of an audit: compute what is missing, store each block at once, lose nothing."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarobust.audit.cell import BlockTask, run_block
from metarobust.audit.plan import Plan, PlannedBlock
from metarobust.audit.store import BlockRow, CellRow, FailureRow, RunStore
from metarobust.audit.workers import TaskResult, run_tasks
from metarobust.config.audit import AuditConfig
from metarobust.config.model import plain
from metarobust.config.yaml import dump_yaml
from metarobust.core.device import resolve_device, usable_cores
from metarobust.core.digest import digest_json
from metarobust.core.environment import command_line, environment, now
from metarobust.core.errors import MetarobustError
from metarobust.core.jsonio import read_json, write_atomic, write_json

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
    """

    folder: Path
    computed: int
    reused: int
    failed: int

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
        on_start: told how many blocks there are to compute, and how many are done already.
        on_block: told of each block as it is finished.

    Raises:
        StoreError: the folder holds another experiment, is in use, or cannot be written.
    """
    config = plan.config
    workers = worker_count(config)
    blocks = list(plan.blocks())
    with RunStore.open(folder, plan.experiment, create=True) as store:
        write_atomic(folder / "config.yaml", dump_yaml(plain(config)))
        manifest = _Manifest(plan, folder, workers)
        manifest.write("running")
        store.set_environment(environment())
        store.add_cells(
            CellRow(cell.key, cell.position, plan.episodes, cell.description) for cell in plan.cells
        )
        finished = store.finished()
        skipped = set() if retry_failed else {row.key for row in store.failures()}
        todo = [b for b in blocks if b.key not in finished | skipped]
        reused = sum(block.key in finished for block in blocks)
        on_start(len(todo), reused)
        tasks = [_task(block, config, allowed_code) for block in todo]
        try:
            with closing(run_tasks(run_block, tasks, workers=workers)) as results:
                for result in results:
                    block = todo[result.index]
                    if result.value is not None:
                        store.put(result.value)
                    else:
                        store.fail(_failure(block, result.error, result.tries))
                    on_block(block, result)
        except BaseException:
            manifest.write("interrupted")
            raise
        missing = len({block.key for block in blocks} - store.finished())
        ended = AuditResult(folder, len(blocks) - reused - missing, reused, missing)
        manifest.write(ended.status)
    return ended


def _task(block: PlannedBlock, config: AuditConfig, allowed_code: frozenset[str]) -> BlockTask:
    cell = block.cell
    return BlockTask(
        config=config.model_dump_json(),
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

    def __init__(self, plan: Plan, folder: Path, workers: int) -> None:
        self._path = folder / "manifest.json"
        earlier = _earlier(self._path)
        self._began = time.monotonic() - float(earlier.get("seconds") or 0)
        self._facts: Mapping[str, Any] = {
            "schema": MANIFEST_SCHEMA,
            "name": plan.config.name,
            "limited": plan.limited,
            "episodes": plan.episodes,
            "configured_episodes": plan.config.episodes,
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

    def write(self, status: str) -> None:
        """Write it with a status; `finished` only once the run has ended."""
        write_json(
            self._path,
            {
                **self._facts,
                "status": status,
                "finished": None if status == "running" else now(),
                "seconds": round(time.monotonic() - self._began, 1),
            },
        )


def _earlier(path: Path) -> Mapping[str, Any]:
    """The manifest of the call that this one resumes; empty if there is none to be read."""
    with suppress(MetarobustError):
        found = read_json(path)
        if isinstance(found, dict):
            return found
    return {}
