"""Whether a learner knows when it is wrong: its confidence, clean and under its worst attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metarobust.audit.scores import CellScores, ReliabilityBin
from metarobust.report.fields import show_estimate
from metarobust.report.headline import worst
from metarobust.report.rows import Row
from metarobust.report.text import of_hundred, percent
from metarobust.stats.estimate import Estimate


@dataclass(frozen=True)
class ReliabilitySide:
    """One reliability diagram.

    Attributes:
        attacked: whether this is the attacked side.
        title: `clean`, or the recipe's name.
        budget: the attack's budget in words, empty for clean.
        status: the verdict of the cell.
        bins: stated confidence, accuracy and count of each bin.
        accuracy: the cell's accuracy.
        confidence: mean stated confidence over all queries, or None without bins.
        ece: expected calibration error.
        ece_null: what a calibrated learner would show.
    """

    attacked: bool
    title: str
    budget: str
    status: str
    bins: tuple[ReliabilityBin, ...]
    accuracy: Estimate
    confidence: float | None
    ece: Estimate
    ece_null: Estimate


@dataclass(frozen=True)
class ReliabilityPanel:
    """A learner's reliability diagrams side by side, clean first, and what they say in words."""

    name: str
    learner: str
    colour: int
    sides: tuple[ReliabilitySide, ...]
    sentence: str
    alt: str


def build_reliability(
    rows: Sequence[Row], scored: Sequence[CellScores]
) -> tuple[ReliabilityPanel, ...]:
    """One panel per learner that has any reliability bins."""
    bins = {cell.evidence.key: cell.reliability for cell in scored}
    panels: list[ReliabilityPanel] = []
    for colour, learner in enumerate(dict.fromkeys(row.learner for row in rows)):
        own = [row for row in rows if row.learner == learner and bins[row.key]]
        attacked = worst(row for row in own if row.kind in ("query", "support", "both"))
        clean = next((row for row in own if row.kind == "clean"), None)
        other = attacked or worst(row for row in own if row.kind != "clean")
        sides = tuple(_side(row, bins) for row in (clean, other) if row is not None)
        if sides:
            words = " ".join(_in_words(side) for side in sides)
            name = f"reliability-{len(panels) + 1:02d}"
            alt = f"Accuracy against stated confidence for {learner}. {words}"
            panels.append(ReliabilityPanel(name, learner, colour, sides, words, alt))
    return tuple(panels)


def _side(row: Row, bins: Mapping[str, tuple[ReliabilityBin, ...]]) -> ReliabilitySide:
    own = bins[row.key]
    count = sum(entry.count for entry in own)
    return ReliabilitySide(
        attacked=row.kind != "clean",
        title=row.name,
        budget=row.budget.text,
        status=row.status,
        bins=own,
        accuracy=row.accuracy,
        confidence=sum(b.confidence * b.count for b in own) / count if count else None,
        ece=row.scores["ece"],
        ece_null=row.scores["ece_null"],
    )


def _in_words(side: ReliabilitySide) -> str:
    where = f"Under {side.title} ({side.budget})" if side.attacked else "On clean episodes"
    if side.accuracy.value is None or side.confidence is None:
        return f"{where} there is nothing to say."
    words = (
        f"{where} it is right on {of_hundred(side.accuracy.value)} queries and states "
        f"{percent(side.confidence, 0)} confidence on average"
    )
    if side.ece.value is None:
        return f"{words}."
    null = side.ece_null.value
    floor = "" if null is None else f"; perfect calibration would show {percent(null)}"
    return f"{words} (ECE {show_estimate(side.ece, 'share')}{floor})."
