"""What a learner gains by answering only where it is sure, clean and under its worst attack."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metarobust.audit.scores import CellScores
from metarobust.metrics.selective import log_odds, risk_coverage
from metarobust.report.headline import worst
from metarobust.report.rows import Row
from metarobust.report.text import percent

POINTS = 60
"""Points of a curve that are drawn; a run has thousands of queries."""


@dataclass(frozen=True)
class RiskCurve:
    """One cell's curve.

    Attributes:
        recipe: the recipe's name.
        title: `clean`, or the recipe's name and budget.
        attacked: whether queries or support were changed.
        coverage: share of the queries answered, the surest first.
        risk: share of errors among them.
        status: the verdict of the cell.
    """

    recipe: str
    title: str
    attacked: bool
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    status: str


@dataclass(frozen=True)
class RiskPanel:
    """A learner's curves, clean first, and what they say in words."""

    name: str
    learner: str
    colour: int
    curves: tuple[RiskCurve, ...]
    sentence: str
    alt: str


def build_risk_panels(rows: Sequence[Row], scored: Sequence[CellScores]) -> tuple[RiskPanel, ...]:
    """One panel per learner that has cells whose logits are all finite."""
    usable = {cell.evidence.key: cell for cell in scored if cell.reliability}
    panels: list[RiskPanel] = []
    for colour, learner in enumerate(dict.fromkeys(row.learner for row in rows)):
        own = [row for row in rows if row.learner == learner and row.key in usable]
        clean = next((row for row in own if row.kind == "clean"), None)
        chosen = [clean, worst(row for row in own if row.kind in ("query", "support", "both"))]
        curves = tuple(_curve(row, usable[row.key]) for row in chosen if row is not None)
        if curves:
            words = " ".join(map(_in_words, curves))
            name = f"risk-{len(panels) + 1:02d}"
            alt = f"Share of errors against share of queries answered, for {learner}. {words}"
            panels.append(RiskPanel(name, learner, colour, curves, words, alt))
    return tuple(panels)


def _curve(row: Row, cell: CellScores) -> RiskCurve:
    evidence = cell.evidence
    found = risk_coverage(log_odds(evidence.arrays["logits"]), evidence.correct)
    picks = np.unique(np.linspace(0, found.risk.size - 1, POINTS).round().astype(int))
    return RiskCurve(
        recipe=row.name,
        title=" ".join(filter(None, (row.name, row.budget.text and f"({row.budget.text})"))),
        attacked=row.kind != "clean",
        coverage=tuple(found.coverage[picks].tolist()),
        risk=tuple(found.risk[picks].tolist()),
        status=row.status,
    )


def _in_words(curve: RiskCurve) -> str:
    where = f"Under {curve.title}" if curve.attacked else "On clean episodes"
    half = float(np.interp(0.5, curve.coverage, curve.risk))
    return (
        f"{where} {percent(curve.risk[-1])} of all answers are wrong, and {percent(half)} of the "
        "surer half."
    )
