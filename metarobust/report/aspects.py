"""What an audit says beyond accuracy and confidence: unknown classes, explanations, groups."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.measure import Measure, Unit
from metarobust.audit.score_classes import CLASSES_FAMILY, group_accuracies
from metarobust.audit.score_conformal import CONFORMAL_FAMILY
from metarobust.audit.score_explanation import EXPLANATION_FAMILY
from metarobust.audit.score_ood import OOD_FAMILY
from metarobust.audit.scores import CellScores
from metarobust.report.rows import Row, readable
from metarobust.report.text import plain
from metarobust.stats.estimate import Estimate


@dataclass(frozen=True)
class AspectColumn:
    """A column of an aspect's table: its heading, how it is printed, and what it means."""

    title: str
    unit: Unit
    meaning: str


@dataclass(frozen=True)
class AspectTable:
    """One aspect of every cell that has it.

    Attributes:
        name: a word for its anchor.
        title: a heading, as a question.
        intro: how to read it.
        columns: what was measured.
        rows: each cell with its estimates, one for each column.
    """

    name: str
    title: str
    intro: str
    columns: tuple[AspectColumn, ...]
    rows: tuple[tuple[Row, tuple[Estimate, ...]], ...]


def build_aspects(rows: Sequence[Row], scored: Sequence[CellScores]) -> tuple[AspectTable, ...]:
    """The tables of the aspects that at least one cell has.

    Args:
        rows: the cells as they are shown.
        scored: the same cells with their evidence, in the same order.
    """
    tables = (
        _of_measures(
            "sets",
            "What if it may answer with several classes?",
            "Prediction sets that hold the true class as often as they promise, on clean queries "
            "and on average over episodes: their thresholds were set on clean meta-val episodes, "
            "so nothing is promised under a threat. A set of all classes says nothing.",
            CONFORMAL_FAMILY.measures,
            rows,
        ),
        _of_measures(
            "unknown",
            "Does it notice what it has never been shown?",
            "Each episode also holds queries of other classes. A learner that knows what it does "
            "not know is less sure of them. Corruptions of queries corrupt these too; attacks on "
            "queries leave them clean.",
            OOD_FAMILY.measures,
            rows,
        ),
        _of_measures(
            "explanations",
            "Do its reasons survive a poisoned support set?",
            "The pixels that speak for the predicted class of a clean query, before and after the "
            "support set was changed.",
            EXPLANATION_FAMILY.measures,
            rows,
        ),
        _of_measures(
            "classes",
            "Which classes do the numbers speak of?",
            "The interval of every other accuracy speaks of these test classes; the first one here "
            "also of classes never drawn.",
            CLASSES_FAMILY.measures,
            rows,
        ),
        _of_groups(rows, scored),
    )
    return tuple(table for table in tables if table.rows)


def _of_measures(
    name: str, title: str, intro: str, measures: Sequence[Measure], rows: Sequence[Row]
) -> AspectTable:
    shown = [(row, tuple(row.scores[measure.key] for measure in measures)) for row in rows]
    columns = tuple(AspectColumn(m.title, m.unit, m.meaning) for m in measures)
    return AspectTable(name, title, intro, columns, _with_any(shown))


def _of_groups(rows: Sequence[Row], scored: Sequence[CellScores]) -> AspectTable:
    found: list[tuple[Row, dict[str, Estimate]]] = []
    for row, cell in zip(rows, scored, strict=True):
        try:
            groups = group_accuracies(cell.evidence)
        except ValueError:
            continue
        found.append((row, {plain(g.name, 40): readable(g.accuracy) for g in groups}))
    names = sorted({name for _, groups in found for name in groups})
    absent = Estimate(None, reason="no episode of this cell holds a class of this group")
    return AspectTable(
        "groups",
        "Is it as good for every group?",
        "Accuracy by group of classes. The worst of many looks worse than it is: judge it by the "
        "interval of the worst group.",
        tuple(AspectColumn(name, "share", f"Accuracy on the classes of {name}.") for name in names),
        tuple((row, tuple(groups.get(name, absent) for name in names)) for row, groups in found),
    )


def _with_any(
    rows: Sequence[tuple[Row, tuple[Estimate, ...]]],
) -> tuple[tuple[Row, tuple[Estimate, ...]], ...]:
    """The rows in which something is known."""
    return tuple(pair for pair in rows if any(e.value is not None for e in pair[1]))
