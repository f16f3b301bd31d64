"""What a threat takes from a learner, query by query and episode by episode."""

from typing import NamedTuple

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    BoolArray,
    Measure,
    ScoreFamily,
    ScoringContext,
    hits,
    missing,
    tail_estimate,
)
from metarobust.metrics import accuracy
from metarobust.metrics.curves import median_radius
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval
from metarobust.stats.paired import paired_interval
from metarobust.stats.pooled import pooled_interval

POINTS = (-100.0, 100.0)

DROP = Measure(
    "drop_points",
    "Drop",
    "points",
    False,
    "Clean accuracy minus this accuracy on the same episodes, in percentage points.",
    bounds=POINTS,
)
RELATIVE_DROP = Measure(
    "relative_drop",
    "Relative drop",
    "share",
    False,
    "The drop over clean accuracy.",
    bounds=(-np.inf, 1.0),
)
RETENTION = Measure(
    "retention",
    "Retention",
    "share",
    True,
    "How much of the accuracy above chance is kept: (accuracy - 1/N) / (clean - 1/N).",
    bounds=(-np.inf, np.inf),
)
ROBUST_GIVEN_CORRECT = Measure(
    "robust_given_correct",
    "Robust given correct",
    "share",
    True,
    "Of the queries named correctly when clean, the share still named correctly.",
)
TAIL_DROP = Measure(
    "tail_drop_points",
    "Worst drops",
    "points",
    False,
    "Mean drop of the tenth of the episodes that lose most (CVaR of the paired drops).",
    bounds=POINTS,
)
MEDIAN_RADIUS = Measure(
    "median_radius",
    "Median radius",
    "number",
    True,
    "Median norm of the smallest perturbation found that makes a query wrong; 0 for a query that "
    "is wrong when clean.",
    bounds=(0.0, np.inf),
    counted_in="the norm of the attack, pixels in [0, 1]",
)
MEASURES = (DROP, RELATIVE_DROP, RETENTION, ROBUST_GIVEN_CORRECT, TAIL_DROP, MEDIAN_RADIUS)


class _Pair(NamedTuple):
    """Hits of the shared episodes, [E, Q] both, and where these lie in the attacked cell, [E]."""

    before: BoolArray
    after: BoolArray
    places: np.ndarray[tuple[int], np.dtype[np.int64]]


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    try:
        pair = _paired(cell, clean)
    except ValueError as problem:
        return missing(MEASURES, str(problem))
    before, after = accuracy.accuracy(pair.before), accuracy.accuracy(pair.after)
    drops = accuracy.drop_points(before, after)
    ways = cell.arrays["logits"].shape[-1]
    return {
        DROP.key: paired_interval(drops, bounds=DROP.bounds),
        RELATIVE_DROP.key: ratio_interval(
            *accuracy.relative_drop(before, after),
            reference="clean accuracy",
            bounds=RELATIVE_DROP.bounds,
        ),
        RETENTION.key: ratio_interval(
            *accuracy.retention(before, after, ways), reference="clean accuracy above chance"
        ),
        ROBUST_GIVEN_CORRECT.key: ratio_interval(
            *accuracy.robust_given_correct(pair.before, pair.after),
            reference="clean accuracy",
            bounds=ROBUST_GIVEN_CORRECT.bounds,
        ),
        TAIL_DROP.key: tail_estimate(drops, TAIL_DROP, context),
        MEDIAN_RADIUS.key: _radius(cell, pair, context),
    }


def _paired(cell: CellEvidence, clean: CellEvidence | None) -> _Pair:
    if clean is None or not clean.episodes:
        raise ValueError("this learner has no evaluated clean cell")
    _, ours, theirs = np.intersect1d(
        cell.arrays["number"], clean.arrays["number"], return_indices=True
    )
    if not ours.size:
        raise ValueError("no episode is shared with the clean cell")
    for name in ("query_ids", "labels"):
        if not np.array_equal(cell.arrays[name][ours], clean.arrays[name][theirs]):
            raise ValueError(f"episodes of the same number differ from the clean cell's in {name}")
    return _Pair(hits(clean)[theirs], hits(cell)[ours], ours)


def _radius(cell: CellEvidence, pair: _Pair, context: ScoringContext) -> Estimate:
    if "radius" not in cell.arrays:
        return Estimate(None, reason="this threat does not look for the smallest perturbation")
    radii = cell.arrays["radius"][pair.places].astype(np.float64)
    found = np.where(radii < 0, np.inf, radii)
    if not np.isfinite(median_radius(found, pair.before)):
        return Estimate(None, reason="the attack found no perturbation for half of the queries")
    return pooled_interval(
        median_radius, found, pair.before, rng=context.rng, bounds=MEDIAN_RADIUS.bounds
    )


AGAINST_CLEAN_FAMILY = ScoreFamily(MEASURES, _score)
