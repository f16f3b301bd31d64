"""How scores are printed, and which of them every table of cells shows."""

from metarobust.audit.measure import Unit
from metarobust.audit.scores import MEASURES
from metarobust.stats.estimate import Estimate

SCORES = MEASURES

HEADLINE = (
    "accuracy",
    "drop_points",
    "relative_drop",
    "retention",
    "robust_given_correct",
    "ece",
    "ece_null",
    "brier",
    "nll",
    "attacker_accuracy",
)
"""The scores that have a column in the table of all cells; every table file holds every score."""

HEADLINE_SCORES = tuple(field for field in SCORES if field.key in HEADLINE)
FURTHER_SCORES = tuple(field for field in SCORES if field.key not in HEADLINE)


def show_value(value: float | None, unit: Unit) -> str:
    """A score as text; an em dash where there is none.

    >>> show_value(0.4213, "share"), show_value(12.34, "points"), show_value(None, "number")
    ('42.1%', '12.3', '—')
    """
    if value is None:
        return "—"
    # Adding zero turns a rounded -0.0 into 0.0.
    if unit == "share":
        return f"{round(100 * value, 1) + 0.0:.1f}%"
    digits = 3 if unit == "number" else 1
    return f"{round(value, digits) + 0.0:.{digits}f}"


def show_interval(estimate: Estimate, unit: Unit) -> str:
    """The interval of a score as text; empty where there is none.

    >>> show_interval(Estimate(0.5, 0.41, 0.59), "share")
    '[41.0, 59.0]'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (show_value(end, unit).rstrip("%") for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def show_estimate(estimate: Estimate, unit: Unit) -> str:
    """A score with its interval in one text.

    >>> show_estimate(Estimate(0.5, 0.41, 0.59), "share")
    '50.0% [41.0, 59.0]'
    """
    return f"{show_value(estimate.value, unit)} {show_interval(estimate, unit)}".rstrip()
