"""Whether a threat to the support set moves the explanation of clean queries."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from metarobust.audit.evidence import NOT_COMPARED, CellEvidence
from metarobust.audit.measure import FloatArray, Measure, ScoreFamily, ScoringContext, mean_score
from metarobust.stats.estimate import Estimate

NOT_ASKED = "explanations were not compared: set aspects.explanation"
OTHER_SURFACE = "only threats to the support set move the explanation of a clean query"
NO_GRADIENT = "the learner cannot be differentiated"
TRANSDUCTIVE = "under statistics of the whole batch a query has no explanation of its own"
ALL_CHANGED = "no query kept its prediction under the threat, so no explanation can be compared"


def _kept(cell: CellEvidence) -> FloatArray:
    """The share of each episode's queries whose explanations can be compared, [E]."""
    compared = _stored(cell, "explanation_rank") != NOT_COMPARED
    shares: FloatArray = compared.mean(axis=1)
    return shares


def _mean_of(name: str) -> Callable[[CellEvidence], FloatArray]:
    def episodes(cell: CellEvidence) -> FloatArray:
        """The mean over each episode's compared queries, of the episodes that have any."""
        values = _stored(cell, name)
        compared = values != NOT_COMPARED
        some = compared.any(axis=1)
        if not some.any():
            raise ValueError(ALL_CHANGED)
        sums: FloatArray = np.where(compared, values, 0.0).sum(axis=1)
        return sums[some] / compared.sum(axis=1)[some]

    return episodes


def _stored(cell: CellEvidence, name: str) -> FloatArray:
    values = cell.arrays.get(name)
    if values is not None:
        return values
    learner, threat = cell.description["learner"], cell.description["threat"]
    if threat.get("surface") not in ("support", "both"):
        raise ValueError(OTHER_SURFACE)
    if learner.get("norm_mode") == "batch":
        raise ValueError(TRANSDUCTIVE)
    raise ValueError(NOT_ASKED if learner.get("differentiable", True) else NO_GRADIENT)


RANK = Measure(
    "explanation_rank",
    "Explanation rank",
    "number",
    True,
    "Rank correlation of a clean query's saliency map (gradient x input) before and after the "
    "threat, over the queries that keep their prediction.",
    bounds=(-1.0, 1.0),
    counted_in="a correlation in [-1, 1]",
    episodes=_mean_of("explanation_rank"),
)
OVERLAP = Measure(
    "explanation_overlap",
    "Explanation overlap",
    "share",
    True,
    "Share of a map's most salient tenth of pixels that is still among them; a tenth is chance.",
    episodes=_mean_of("explanation_overlap"),
)
KEPT = Measure(
    "explanation_kept",
    "Explanations compared",
    "share",
    True,
    "Share of queries that keep their prediction, whose explanations are compared.",
    episodes=_kept,
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    scores = {measure.key: mean_score(measure, cell) for measure in (RANK, OVERLAP, KEPT)}
    share = scores[KEPT.key].value
    if share is not None:
        skipped = f"; {1 - share:.1%} of queries skipped"
        for measure in (RANK, OVERLAP):
            estimate = scores[measure.key]
            method = estimate.method and estimate.method + skipped
            scores[measure.key] = replace(estimate, method=method)
    return scores


EXPLANATION_FAMILY = ScoreFamily((RANK, OVERLAP, KEPT), _score)
