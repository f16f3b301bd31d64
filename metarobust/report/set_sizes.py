"""What prediction sets hold and how large they are, under every threat to a learner."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.kinds import Kind
from metarobust.audit.recalibration import COVERAGES
from metarobust.report.rows import Row
from metarobust.report.text import percent
from metarobust.stats.estimate import Estimate

PROMISED = COVERAGES[0]
"""The coverage that the sets of the figure promise; the table has those of the others too."""

_COVERAGE, _SIZE = f"set_coverage_{100 * PROMISED:.0f}", f"set_size_{100 * PROMISED:.0f}"


@dataclass(frozen=True)
class SetPoint:
    """One cell's sets: how often they hold the true class, and how many classes they name."""

    threat: str
    kind: Kind
    coverage: Estimate
    size: Estimate
    status: str


@dataclass(frozen=True)
class SetPanel:
    """A learner's sets under every threat that left them readable.

    Attributes:
        name: file name stem of its figure.
        learner: the learner's label.
        colour: its place among the learners of the report.
        promised: the coverage that the sets promise on clean queries.
        ways: how many classes an episode has, or None if unknown.
        largest: the largest mean size in the report, so that its panels share an axis.
        points: one per cell, in the order of the report.
        sentence: what they say in words.
        alt: the figure in words.
    """

    name: str
    learner: str
    colour: int
    promised: float
    ways: int | None
    largest: float
    points: tuple[SetPoint, ...]
    sentence: str
    alt: str


def build_set_panels(rows: Sequence[Row]) -> tuple[SetPanel, ...]:
    """One panel per learner that has sets in some cell."""
    panels: list[SetPanel] = []
    largest = max((row.scores[_SIZE].value or 0.0 for row in rows), default=0.0)
    for colour, learner in enumerate(dict.fromkeys(row.learner for row in rows)):
        own = [row for row in rows if row.learner == learner]
        points = tuple(
            SetPoint(row.threat, row.kind, row.scores[_COVERAGE], row.scores[_SIZE], row.status)
            for row in own
            if None not in (row.scores[_COVERAGE].value, row.scores[_SIZE].value)
        )
        if points:
            words = _in_words(points, own[0].ways)
            alt = f"Coverage against size of the {percent(PROMISED, 0)} sets of {learner}. {words}"
            name = f"sets-{len(panels) + 1:02d}"
            panels.append(
                SetPanel(name, learner, colour, PROMISED, own[0].ways, largest, points, words, alt)
            )
    return tuple(panels)


def _in_words(points: Sequence[SetPoint], ways: int | None) -> str:
    def told(point: SetPoint) -> str:
        of = f" of {ways}" if ways else ""
        held, named = point.coverage.value or 0.0, point.size.value or 0.0
        return (
            f"its {percent(PROMISED, 0)} sets hold the true class {percent(held)} of the time and "
            f"name {named:.2f}{of} classes"
        )

    clean = [point for point in points if point.kind == "clean"]
    worst = min(points, key=lambda point: point.coverage.value or 0.0)
    words = [f"On clean episodes {told(point)}." for point in clean]
    if worst.kind != "clean":
        words.append(f"Under {worst.threat}, where they hold it least often, {told(worst)}.")
    return " ".join(words)
