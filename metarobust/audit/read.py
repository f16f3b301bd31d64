"""Reading a run folder: its manifest, scored cells, verdicts and judged gates (no torch)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarobust.audit.checks import Verdict, check_cells
from metarobust.audit.gates import GateResult, judge_gates
from metarobust.audit.scores import CellScores, score_cells
from metarobust.audit.store import RunStore
from metarobust.config.gate import read_gates
from metarobust.core.errors import StoreError
from metarobust.core.jsonio import read_json


@dataclass(frozen=True)
class Run:
    """A run as it stands on disk.

    Attributes:
        manifest: the facts of the run.
        cells: every planned cell, scored, in plan order.
        verdicts: the sanity verdict of each, by cell key.
        gates: what became of each gate of the run's `config.yaml`.
    """

    manifest: Mapping[str, Any]
    cells: tuple[CellScores, ...]
    verdicts: Mapping[str, Verdict]
    gates: tuple[GateResult, ...] = ()


def read_run(folder: Path) -> Run:
    """Read and score a run folder, also one that is incomplete or still running.

    Raises:
        StoreError: it is not a run folder, or its evidence is damaged.
        ConfigError: a gate in its `config.yaml` is wrong.
    """
    with RunStore.read(folder) as store:
        evidence = store.cells()
    manifest = read_json(folder / "manifest.json", StoreError)
    if not isinstance(manifest, dict):
        raise StoreError(f"{folder / 'manifest.json'}: expected the facts of a run, got other JSON")
    sequential = manifest.get("until_halfwidth") is not None
    cells = tuple(score_cells(evidence, sequential=sequential))
    verdicts = check_cells(cells)
    gates = judge_gates(read_gates(folder / "config.yaml"), cells, verdicts)
    return Run(manifest, cells, verdicts, gates)
