"""How often a learner is right: on average, in its worst episodes, on its worst class."""

from typing import Any

import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    FloatArray,
    Measure,
    ScoreFamily,
    ScoringContext,
    hits,
    mean_score,
    tail_estimate,
)
from metarobust.audit.stopping import stopped_interval
from metarobust.metrics.accuracy import accuracy
from metarobust.metrics.groups import episode_sums, query_classes
from metarobust.stats.estimate import Estimate
from metarobust.stats.extremes import group_extremes


def episode_accuracies(cell: CellEvidence) -> FloatArray:
    """The accuracy of each evaluated episode, [E]; a query without finite logits is an error."""
    return accuracy(hits(cell))


def _attacker_accuracies(cell: CellEvidence) -> FloatArray:
    shares: npt.NDArray[Any] | None = cell.arrays.get("attacker_correct")
    if shares is None or not (shares >= 0).any():
        raise ValueError("this threat has no queries of the attacker's own")
    return shares[shares >= 0]


ACCURACY = Measure(
    "accuracy",
    "Accuracy",
    "share",
    True,
    "Share of queries named correctly.",
    episodes=episode_accuracies,
)
TAIL_ACCURACY = Measure(
    "tail_accuracy",
    "Worst episodes",
    "share",
    True,
    "Mean accuracy of the worst tenth of the episodes (CVaR).",
)
WORST_CLASS = Measure(
    "worst_class_accuracy",
    "Worst class",
    "share",
    True,
    "Accuracy on the class that is named correctly least often, over all its episodes.",
)
CLASS_GAP = Measure(
    "class_gap",
    "Class gap",
    "share",
    False,
    "Accuracy on the best class less accuracy on the worst.",
)
ATTACKER = Measure(
    "attacker_accuracy",
    "Specific accuracy",
    "share",
    True,
    "Accuracy on the queries the attacker optimised on: a bound that flatters the attacker.",
    episodes=_attacker_accuracies,
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    right = hits(cell)
    shares = accuracy(right)
    classes = query_classes(cell.arrays["class_ids"], cell.arrays["labels"])
    by_class = episode_sums(right, classes)
    extremes = group_extremes(by_class.sums, by_class.counts, rng=context.rng)
    return {
        ACCURACY.key: stopped_interval(shares)
        if context.sequential
        else mean_score(ACCURACY, cell),
        TAIL_ACCURACY.key: tail_estimate(shares, TAIL_ACCURACY, context),
        WORST_CLASS.key: extremes.lowest,
        CLASS_GAP.key: extremes.gap,
        ATTACKER.key: mean_score(ATTACKER, cell),
    }


ACCURACY_FAMILY = ScoreFamily((ACCURACY, TAIL_ACCURACY, WORST_CLASS, CLASS_GAP, ATTACKER), _score)
