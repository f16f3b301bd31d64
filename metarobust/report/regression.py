"""What a report of regressions says instead of accuracy."""

from collections.abc import Mapping, Sequence
from typing import Any

from metarobust.audit.measure import Measure
from metarobust.audit.regression_scores import REGRESSION_MEASURES
from metarobust.report.fields import FURTHER_SCORES, HEADLINE_SCORES, SCORES
from metarobust.report.rows import Row
from metarobust.report.text import listed, sentence

BREAKS = 2.0
"""A threat that at least doubles the error is named in the verdict."""


def has_regressions(scores: Mapping[str, Any]) -> bool:
    """Whether scores by name are those of a regression."""
    return "mse" in scores


def is_regression(rows: Sequence[Row]) -> bool:
    """Whether a run is of regressions: all of its cells share a data set."""
    return any(has_regressions(row.scores) for row in rows)


def score_fields(rows: Sequence[Row]) -> tuple[Measure, ...]:
    """The scores that table files of these rows have columns for."""
    return REGRESSION_MEASURES if is_regression(rows) else SCORES


def page_fields(rows: Sequence[Row]) -> tuple[tuple[Measure, ...], tuple[Measure, ...]]:
    """The scores that a page shows in its table of cells, and those it shows further down."""
    if is_regression(rows):
        return REGRESSION_MEASURES, ()
    return HEADLINE_SCORES, FURTHER_SCORES


def regression_verdict(rows: Sequence[Row]) -> str:
    """The answer of the audit in a few sentences: every learner's errors, clean and at worst."""
    words = []
    for learner in dict.fromkeys(row.learner for row in rows):
        own = [row for row in rows if row.learner == learner]
        clean = next((row for row in own if row.kind == "clean"), None)
        known = [r for r in own if r.kind != "clean" and r.scores["mse"].value is not None]
        if clean is None or clean.scores["mse"].value is None:
            words.append(f"There is no clean error of {learner} to compare with.")
            continue
        text = f"The mean squared error of {learner} is {clean.scores['mse'].value:.3g} when clean"
        if known:
            worst = max(known, key=lambda row: row.scores["mse"].value or 0.0)
            text += f" and {worst.scores['mse'].value:.3g} at worst, under {worst.threat}"
        words.append(f"{text}.")
        doubled = [row.name for row in known if (row.scores["mse_ratio"].value or 0) >= BREAKS]
        if doubled:
            words.append(
                sentence(f"{listed(list(dict.fromkeys(doubled)))} at least double it") + "."
            )
    return " ".join(words) or "This run holds no cells."
