"""Conformal prediction sets: do they hold the true class as often as promised, how large are they?

Thresholds come from clean meta-val episodes. The promise is marginal: for the mean over episodes
and for queries like those, so not for one episode and not under a threat, which is what the scores
of attacked cells show.
"""

import math
from functools import partial

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    BoolArray,
    FloatArray,
    Measure,
    ScoreFamily,
    ScoringContext,
    mean_score,
    tail_estimate,
)
from metarobust.audit.recalibration import COVERAGES, read_recalibration
from metarobust.audit.score_proper import scaled_logits
from metarobust.metrics.calibration import probabilities
from metarobust.metrics.conformal import lac_scores, prediction_sets, set_coverage, set_size
from metarobust.stats.estimate import Estimate


def conformal_sets(cell: CellEvidence, coverage: float) -> BoolArray:
    """The prediction set of each query, bool [E, Q, N].

    Raises:
        ValueError: no threshold was measured for this coverage, or some logits are not finite.
    """
    thresholds = read_recalibration(cell.description["learner"]).thresholds
    if coverage not in thresholds:
        raise ValueError(f"this run has no threshold for a coverage of {coverage:g}")
    return prediction_sets(lac_scores(probabilities(scaled_logits(cell))), thresholds[coverage])


def _coverages(cell: CellEvidence, coverage: float) -> FloatArray:
    return set_coverage(conformal_sets(cell, coverage), cell.arrays["labels"])


def _sizes(cell: CellEvidence, coverage: float) -> FloatArray:
    return set_size(conformal_sets(cell, coverage))


def _measures(coverage: float) -> tuple[Measure, ...]:
    percent = f"{100 * coverage:.0f}"
    return (
        Measure(
            f"set_coverage_{percent}",
            f"Coverage, {percent}% sets",
            "share",
            True,
            f"How often the prediction set that promises {percent}% on clean queries, on average "
            "over episodes, holds the true class.",
            episodes=partial(_coverages, coverage=coverage),
        ),
        Measure(
            f"set_size_{percent}",
            f"Size, {percent}% sets",
            "number",
            False,
            f"How many classes that {percent}% set names.",
            bounds=(0.0, math.inf),
            counted_in="classes",
            episodes=partial(_sizes, coverage=coverage),
        ),
    )


MEANS = tuple(measure for coverage in COVERAGES for measure in _measures(coverage))
TAIL_COVERAGE = Measure(
    "tail_set_coverage_90",
    "Worst coverage, 90% sets",
    "share",
    True,
    "Coverage of the 90% sets in the tenth of the episodes where it is lowest (CVaR).",
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    scores = {measure.key: mean_score(measure, cell) for measure in MEANS}
    try:
        held = _coverages(cell, COVERAGES[0])
    except ValueError as problem:
        return {**scores, TAIL_COVERAGE.key: Estimate(None, reason=str(problem))}
    return {**scores, TAIL_COVERAGE.key: tail_estimate(held, TAIL_COVERAGE, context)}


CONFORMAL_FAMILY = ScoreFamily((*MEANS, TAIL_COVERAGE), _score, of_confidence=True)
