"""What each score is called, how it is printed, and which direction is good."""

from dataclasses import dataclass
from typing import Literal

from metarobust.stats.estimate import Estimate

Unit = Literal["share", "points", "number"]


@dataclass(frozen=True)
class ScoreField:
    """One score.

    Attributes:
        key: its name in `CellScores.scores` and the stem of its columns in the tidy tables.
        title: its column heading.
        unit: `share` (in [0, 1], printed in percent), `points` (percentage points) or `number`.
        higher_is_better: the direction in which the learner is better off.
        meaning: one sentence for a reader who has not met it.
    """

    key: str
    title: str
    unit: Unit
    higher_is_better: bool
    meaning: str


SCORES = (
    ScoreField("accuracy", "Accuracy", "share", True, "Share of queries named correctly."),
    ScoreField(
        "drop_points",
        "Drop",
        "points",
        False,
        "Clean accuracy minus this accuracy on the same episodes, in percentage points.",
    ),
    ScoreField("relative_drop", "Relative drop", "share", False, "The drop over clean accuracy."),
    ScoreField(
        "retention",
        "Retention",
        "share",
        True,
        "How much of the accuracy above chance is kept: (accuracy - 1/N) / (clean - 1/N).",
    ),
    ScoreField(
        "robust_given_correct",
        "Robust given correct",
        "share",
        True,
        "Of the queries named correctly when clean, the share still named correctly.",
    ),
    ScoreField(
        "ece",
        "ECE",
        "share",
        False,
        "Expected calibration error: the mean gap between stated confidence and accuracy, "
        "in bins of equal mass, pooled over episodes.",
    ),
    ScoreField(
        "ece_null",
        "Null ECE",
        "share",
        False,
        "The calibration error that a perfectly calibrated learner would show by chance alone.",
    ),
    ScoreField("brier", "Brier", "number", False, "Squared error of the stated probabilities."),
    ScoreField("nll", "NLL", "number", False, "Negative log-likelihood of the true labels, nats."),
    ScoreField(
        "attacker_accuracy",
        "Specific accuracy",
        "share",
        True,
        "Accuracy on the queries the attacker optimised on: a bound that flatters the attacker.",
    ),
    ScoreField(
        "attack_success",
        "Attack success",
        "share",
        False,
        "Of the queries of other classes, the share that a backdoor's trigger leads to its target.",
    ),
    ScoreField(
        "trigger_alone",
        "Trigger alone",
        "share",
        False,
        "The same for the learner whose support set is clean: what the patch does by itself.",
    ),
    ScoreField(
        "benign_accuracy",
        "Benign accuracy",
        "share",
        True,
        "Accuracy of a backdoored learner on clean queries.",
    ),
)


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
