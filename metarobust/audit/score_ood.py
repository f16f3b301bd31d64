"""Whether a learner notices queries of classes that its support set does not hold."""

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import FloatArray, Measure, ScoreFamily, ScoringContext, missing
from metarobust.metrics.reweighted import reweighted
from metarobust.metrics.selective import log_odds
from metarobust.metrics.separation import energy, reweighted_false_positive_rate
from metarobust.stats.estimate import Estimate
from metarobust.stats.resamples import EpisodeResamples

NO_DISTRACTORS = "no distractor was asked: set aspects.distractors"
TRANSDUCTIVE = "under statistics of the whole batch a distractor's logits depend on its neighbours"

OOD_AUROC = Measure(
    "ood_auroc",
    "OOD AUROC",
    "share",
    True,
    "How often a query of the episode is answered more confidently than one of another class; half "
    "is guessing.",
)
FPR95 = Measure(
    "fpr95",
    "FPR95",
    "share",
    False,
    "Share of queries of other classes that pass where 95% of the episode's own do, by confidence.",
)
OOD_AUROC_ENERGY = Measure(
    "ood_auroc_energy",
    "OOD AUROC, energy",
    "share",
    True,
    "The same by the energy of the logits, log sum exp, instead of the confidence.",
)
FPR95_ENERGY = Measure(
    "fpr95_energy",
    "FPR95, energy",
    "share",
    False,
    "FPR95 by the energy of the logits instead of the confidence.",
)
MEASURES = (OOD_AUROC, FPR95, OOD_AUROC_ENERGY, FPR95_ENERGY)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    strange = cell.arrays.get("distractor_logits")
    if strange is None:
        leaks = cell.description["learner"].get("norm_mode") == "batch"
        return missing(MEASURES, TRANSDUCTIVE if leaks else NO_DISTRACTORS)
    if not np.isfinite(strange).all():
        return missing(MEASURES, "some distractors have logits that are not finite")
    own = cell.arrays["logits"]
    resamples = EpisodeResamples.draw(len(own), context.rng)
    found: dict[str, Estimate] = {}
    for familiarity, area, rate in (
        (log_odds, OOD_AUROC, FPR95),
        (energy, OOD_AUROC_ENERGY, FPR95_ENERGY),
    ):
        known, unknown = familiarity(own), familiarity(strange)
        areas = _areas(known, unknown, resamples.weights)
        rates = reweighted_false_positive_rate(known, unknown, resamples.weights)
        found[area.key] = resamples.estimate(areas, bounds=area.bounds)
        found[rate.key] = resamples.estimate(rates, bounds=rate.bounds)
    return found


def _areas(known: FloatArray, unknown: FloatArray, weights: npt.NDArray[np.int64]) -> FloatArray:
    """The OOD AUROC of each resample: own queries for right answers, distractors for wrong ones."""
    scores = np.concatenate([known, unknown], axis=1)
    kinds = np.arange(scores.shape[1]) < known.shape[1]
    return reweighted(scores, np.broadcast_to(kinds, scores.shape), weights).auroc


OOD_FAMILY = ScoreFamily(MEASURES, _score, of_confidence=True)
