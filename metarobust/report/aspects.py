"""What an audit says beyond accuracy and confidence: unknown classes, explanations, groups."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.measure import Measure, Unit
from metarobust.audit.score_classes import CLASSES_FAMILY, group_accuracies
from metarobust.audit.score_conformal import CONFORMAL_FAMILY
from metarobust.audit.score_explanation import EXPLANATION_FAMILY
from metarobust.audit.score_ood import OOD_FAMILY
from metarobust.audit.scores import CellScores
from metarobust.report.absence import Absence, absences
from metarobust.report.rows import Row, readable
from metarobust.report.set_sizes import SetPanel, build_set_panels
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
    """One aspect of every cell that it may be asked of.

    Attributes:
        name: a word for its anchor.
        short: a word or two for the list of sections.
        title: a heading, as a question.
        intro: how to read it.
        columns: what was measured.
        rows: each cell with its estimates, one for each column; some are missing.
        panels: what is drawn of it.
    """

    name: str
    short: str
    title: str
    intro: str
    columns: tuple[AspectColumn, ...]
    rows: tuple[tuple[Row, tuple[Estimate, ...]], ...]
    panels: tuple[SetPanel, ...] = ()

    @property
    def absent(self) -> tuple[Absence, ...]:
        """Why values are missing, and in which cells."""
        return absences(
            (f"{row.learner} under {row.threat}", estimate)
            for row, estimates in self.rows
            for estimate in estimates
        )


def build_aspects(rows: Sequence[Row], scored: Sequence[CellScores]) -> tuple[AspectTable, ...]:
    """The tables of the aspects that at least one cell has.

    Args:
        rows: the cells as they are shown.
        scored: the same cells with their evidence, in the same order.
    """
    tables = (
        _of_measures(
            "sets",
            "Prediction sets",
            "What if it may answer with several classes?",
            "Prediction sets that hold the true class as often as they promise, on clean queries "
            "and on average over episodes: their thresholds were set on clean meta-val episodes, "
            "so nothing is promised under a threat. A set of all classes says nothing. A hollow "
            "mark is a number to doubt.",
            CONFORMAL_FAMILY.measures,
            rows,
            build_set_panels(rows),
        ),
        _of_measures(
            "unknown",
            "Unknown classes",
            "Does it notice what it has never been shown?",
            "Each episode also holds queries of other classes. A learner that knows what it does "
            "not know is less sure of them. Corruptions of queries corrupt these too; attacks on "
            "queries leave them clean.",
            OOD_FAMILY.measures,
            rows,
        ),
        _of_measures(
            "explanations",
            "Explanations",
            "Do its reasons survive a poisoned support set?",
            "The pixels that speak for the predicted class of a clean query, before and after the "
            "support set was changed.",
            EXPLANATION_FAMILY.measures,
            [row for row in rows if row.budget.surface in ("support", "both")],
        ),
        _of_measures(
            "classes",
            "New classes",
            "Which classes do the numbers speak of?",
            "The interval of every other accuracy speaks of these test classes; the first one here "
            "also of classes never drawn.",
            CLASSES_FAMILY.measures,
            rows,
        ),
        _of_groups(rows, scored),
    )
    return tuple(table for table in tables if _says_something(table))


def _of_measures(
    name: str,
    short: str,
    title: str,
    intro: str,
    measures: Sequence[Measure],
    rows: Sequence[Row],
    panels: tuple[SetPanel, ...] = (),
) -> AspectTable:
    shown = tuple((row, tuple(row.scores[measure.key] for measure in measures)) for row in rows)
    columns = tuple(AspectColumn(m.title, m.unit, m.meaning) for m in measures)
    return AspectTable(name, short, title, intro, columns, shown, panels)


def _of_groups(rows: Sequence[Row], scored: Sequence[CellScores]) -> AspectTable:
    found: list[tuple[Row, dict[str, Estimate], Estimate]] = []
    for row, cell in zip(rows, scored, strict=True):
        groups: dict[str, Estimate] = {}
        absent = Estimate(None, reason="no episode of this cell holds a class of this group")
        try:
            groups = {
                plain(g.name, 40): readable(g.accuracy) for g in group_accuracies(cell.evidence)
            }
        except ValueError as problem:
            absent = readable(Estimate(None, reason=str(problem)))
        found.append((row, groups, absent))
    names = sorted({name for _, groups, _ in found for name in groups})
    return AspectTable(
        "groups",
        "Groups",
        "Is it as good for every group?",
        "Accuracy by group of classes. The worst of many looks worse than it is: judge it by the "
        "interval of the worst group.",
        tuple(AspectColumn(name, "share", f"Accuracy on the classes of {name}.") for name in names),
        tuple(
            (row, tuple(groups.get(name, absent) for name in names))
            for row, groups, absent in found
        ),
    )


def _says_something(table: AspectTable) -> bool:
    return any(e.value is not None for _, estimates in table.rows for e in estimates)
