"""Cells of one learner that belong on one curve: one threat at growing strength."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import FloatArray, at_episodes
from metarobust.audit.score_accuracy import episode_accuracies

Strength = Literal["severity", "fraction", "eps"]
STRENGTHS: tuple[Strength, ...] = ("severity", "fraction", "eps")


def strength_of(facts: Mapping[str, Any]) -> Strength | None:
    """The number that says how strong a threat is; None where it has none."""
    return next((name for name in STRENGTHS if facts.get(name) is not None), None)


def first_clean(cells: Iterable[CellEvidence]) -> CellEvidence | None:
    """The first clean cell, if there is one."""
    return next((cell for cell in cells if cell.threat["family"] == "clean"), None)


def strength_grids(cells: Iterable[CellEvidence]) -> dict[tuple[str, str], list[CellEvidence]]:
    """Cells that differ in the strength of their threat alone, by strength, weakest first."""
    grids: dict[tuple[str, str], list[CellEvidence]] = {}
    for cell in cells:
        facts = cell.threat
        strength = strength_of(facts)
        if strength is not None:
            rest = {name: fact for name, fact in facts.items() if name not in (strength, "label")}
            grids.setdefault((strength, json.dumps(rest, sort_keys=True)), []).append(cell)
    return {
        key: sorted(grid, key=lambda cell: float(cell.threat[key[0]]))
        for key, grid in grids.items()
    }


def shared_accuracies(cells: Sequence[CellEvidence]) -> FloatArray:
    """Accuracy of the episodes that all cells have, [E, K].

    Raises:
        ValueError: there is none; the message says which cell has no episode.
    """
    for cell in cells:
        if not cell.episodes:
            why = ": ".join((f"{cell.threat['label']} has no episode", *cell.failures[:1]))
            raise ValueError(why)
    numbers: npt.NDArray[Any] = reduce(np.intersect1d, [cell.arrays["number"] for cell in cells])
    if not numbers.size:
        raise ValueError("no episode is common to all cells")
    own = [at_episodes(episode_accuracies(cell), cell, numbers) for cell in cells]
    return np.stack(own, axis=-1)
