"""Reading a run folder: its manifest, scored cells, verdicts and judged gates (no torch)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarobust.audit.adaptation import by_point
from metarobust.audit.checks import Verdict, check_cells
from metarobust.audit.gates import GateResult, judge_gates
from metarobust.audit.manifest import read_manifest
from metarobust.audit.scores import CellScores, score_cells
from metarobust.audit.store import RunStore
from metarobust.config.gate import read_gates


@dataclass(frozen=True)
class Run:
    """A run as it stands on disk.

    Attributes:
        manifest: the facts of the run.
        cells: every planned cell, scored, in plan order.
        verdicts: the sanity verdict of each, by cell key; those of the curves included.
        gates: what became of each gate of the run's `config.yaml`.
        curves: the cells of adaptation curves, each scored beside the clean cell of its own point.
    """

    manifest: Mapping[str, Any]
    cells: tuple[CellScores, ...]
    verdicts: Mapping[str, Verdict]
    gates: tuple[GateResult, ...] = ()
    curves: tuple[CellScores, ...] = ()


def read_run(folder: Path) -> Run:
    """Read and score a run folder, also one that is incomplete or still running.

    Raises:
        StoreError: it is not a run folder, or its evidence is damaged.
        ConfigError: a gate in its `config.yaml` is wrong.
    """
    with RunStore.read(folder) as store:
        evidence = store.cells()
    manifest = read_manifest(folder)
    sequential = manifest.get("until_halfwidth") is not None
    audit, *points = by_point(evidence)
    cells = tuple(score_cells(audit, sequential=sequential))
    verdicts = check_cells(cells)
    gates = judge_gates(read_gates(folder / "config.yaml"), cells, verdicts)
    curves: list[CellScores] = []
    for point in points:
        scored = score_cells(point, sequential=sequential)
        verdicts |= check_cells(scored)
        curves += scored
    return Run(manifest, cells, verdicts, gates, tuple(curves))
