"""The driver of an audit: compute what is missing, store each block at once, lose nothing."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarobust.audit.cell import BlockTask, run_block
from metarobust.audit.plan import Plan, PlannedBlock
from metarobust.audit.store import CellRow, FailureRow, RunStore
from metarobust.audit.workers import run_tasks
from metarobust.config.audit import AuditConfig
from metarobust.config.model import plain
from metarobust.config.yaml import dump_yaml
from metarobust.core.device import resolve_device, usable_cores
from metarobust.core.environment import command_line, environment, now
from metarobust.core.jsonio import write_atomic, write_json

MANIFEST_SCHEMA = 1

OnBlock = Callable[[PlannedBlock, BaseException | None], None]
"""Told after each block: which, and its error if it failed."""


@dataclass(frozen=True)
class AuditResult:
    """How an audit ended.

    Attributes:
        folder: the run folder.
        computed: blocks computed now.
        reused: blocks that were there already.
        failed: blocks without evidence, those of earlier tries included.
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
    on_block: OnBlock = lambda block, error: None,
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
        failed = {row.key for row in store.failures()}
        skipped = set() if retry_failed else failed - finished
        todo = [b for b in blocks if b.key not in finished and b.key not in skipped]
        on_start(len(todo), sum(block.key in finished for block in blocks))
        tasks = [_task(block, config, allowed_code) for block in todo]
        try:
            with closing(run_tasks(run_block, tasks, workers=workers)) as results:
                for result in results:
                    block = todo[result.index]
                    if result.value is not None:
                        store.put(result.value)
                    else:
                        store.fail(_failure(block, result.error, result.tries))
                    on_block(block, result.error)
        except BaseException:
            manifest.write("interrupted")
            raise
        missing = {block.key for block in blocks} - store.finished()
        ended = AuditResult(folder, len(todo), len(blocks) - len(todo), len(missing))
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
        message=str(error),
        tries=tries,
    )


class _Manifest:
    """The manifest of a run, written at its start and at its end."""

    def __init__(self, plan: Plan, folder: Path, workers: int) -> None:
        self._path = folder / "manifest.json"
        self._began = time.monotonic()
        self._facts: Mapping[str, Any] = {
            "schema": MANIFEST_SCHEMA,
            "name": plan.config.name,
            "limited": plan.limited,
            "episodes": plan.episodes,
            "configured_episodes": plan.config.episodes,
            "command": command_line(),
            "created": now(),
            "seed": plan.config.seed,
            "device": str(resolve_device(plan.config.device)),
            "workers": workers,
            "digests": {
                "dataset": plan.dataset["digest"],
                "cells": plan.experiment["cells"],
                "weights": plan.experiment["weights"],
            },
            **environment(),
        }

    def write(self, status: str) -> None:
        """Write it with a status; `finished` and `seconds` only once the run has ended."""
        ended = status != "running"
        write_json(
            self._path,
            {
                **self._facts,
                "status": status,
                "finished": now() if ended else None,
                "seconds": round(time.monotonic() - self._began, 1) if ended else None,
            },
        )
