"""Corruption by severity: one map of accuracies per learner and surface."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.report.rows import Row
from metarobust.report.text import of_hundred, sentence
from metarobust.stats.estimate import Estimate

FEWEST = 3
"""Corruptions that a map needs; fewer are read more easily as curves."""


@dataclass(frozen=True)
class HeatCell:
    """Accuracy under one corruption at one severity, if known; `status` is its cell's verdict."""

    accuracy: Estimate
    status: str


@dataclass(frozen=True)
class HeatMap:
    """One learner under many corruptions of one surface.

    Attributes:
        name: file name stem of its figure.
        learner: the learner's label.
        surface: what was corrupted, in words.
        clean: accuracy of the learner's clean cell.
        chance: accuracy of guessing, or None if unknown.
        corruptions: row headings, the most harmful first.
        severities: column headings.
        cells: by corruption and severity; None where the audit has no such cell.
        alt: the figure in words.
    """

    name: str
    learner: str
    surface: str
    clean: Estimate
    chance: float | None
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]
    alt: str


def build_heat_maps(rows: Sequence[Row]) -> tuple[HeatMap, ...]:
    """Every map that the rows allow: `FEWEST` corruptions of a learner on one surface."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.budget.severity is not None:
            groups.setdefault((row.learner, row.budget.surface or ""), []).append(row)
    kept = [group for group in groups.values() if len({row.name for row in group}) >= FEWEST]
    return tuple(_map(number, group, rows) for number, group in enumerate(kept, 1))


def in_heat_map(row: Row, maps: Sequence[HeatMap]) -> bool:
    """Whether one of the maps shows this row."""
    surfaces = {(found.learner, found.surface) for found in maps}
    return row.budget.severity is not None and (row.learner, _surface(row)) in surfaces


def _map(number: int, group: Sequence[Row], rows: Sequence[Row]) -> HeatMap:
    first = group[0]
    found = {(row.name, row.budget.severity or 0): row for row in group}
    severities = tuple(sorted({severity for _, severity in found}))
    lowest = {
        name: min(
            (
                value
                for row in group
                if row.name == name and (value := row.accuracy.value) is not None
            ),
            default=1.0,
        )
        for name in dict.fromkeys(row.name for row in group)
    }
    names = tuple(sorted(lowest, key=lambda name: (lowest[name], name)))
    cells = tuple(
        tuple(_cell(found.get((name, severity))) for severity in severities) for name in names
    )
    clean = next((r for r in rows if r.learner == first.learner and r.kind == "clean"), None)
    missing = Estimate(None, reason="this audit has no clean cell of this learner")
    surface = _surface(first)
    worst = " ".join(
        f"{sentence(name.replace('-', ' '))}: {of_hundred(lowest[name])}." for name in names[:3]
    )
    return HeatMap(
        name=f"corruptions-{number:02d}",
        learner=first.learner,
        surface=surface,
        clean=missing if clean is None else clean.accuracy,
        chance=1 / first.ways if first.ways else None,
        corruptions=names,
        severities=severities,
        cells=cells,
        alt=f"Accuracy of {first.learner} by corruption of the {surface} and severity. Right "
        f"answers at the worst severity of the most harmful ones: {worst}",
    )


def _cell(row: Row | None) -> HeatCell | None:
    return None if row is None else HeatCell(row.accuracy, row.status)


def _surface(row: Row) -> str:
    words = {"query": "queries", "support": "support set", "both": "support set and queries"}
    return words.get(row.budget.surface or "", "episode")
