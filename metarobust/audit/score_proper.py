"""Proper scores of a cell's probabilities, their parts, and what one temperature buys."""

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    FloatArray,
    Measure,
    ScoreFamily,
    ScoringContext,
    finite_logits,
    mean_score,
    missing,
)
from metarobust.audit.recalibration import read_recalibration
from metarobust.metrics import calibration, proper
from metarobust.metrics.corp import decompose
from metarobust.stats.bootstrap import ece_interval
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval

NOT_RESAMPLED = "no interval: an isotonic fit to resampled episodes follows their repetitions"


def _brier(cell: CellEvidence) -> FloatArray:
    shares = calibration.probabilities(finite_logits(cell))
    return _by_episode(proper.brier(shares, cell.arrays["labels"]))


def _nll(cell: CellEvidence) -> FloatArray:
    return _by_episode(proper.nll(finite_logits(cell), cell.arrays["labels"]))


def _scaled_nll(cell: CellEvidence) -> FloatArray:
    return _by_episode(proper.nll(scaled_logits(cell), cell.arrays["labels"]))


def _by_episode(scores: FloatArray) -> FloatArray:
    means: FloatArray = scores.mean(axis=-1)
    return means


def scaled_logits(cell: CellEvidence) -> npt.NDArray[np.float64]:
    """The logits at the temperature that was fitted on clean meta-val episodes, [E, Q, N].

    Raises:
        ValueError: no temperature was fitted, or some logits are not finite.
    """
    temperature = read_recalibration(cell.description["learner"]).temperature
    return np.asarray(finite_logits(cell), dtype=np.float64) / temperature


BRIER = Measure(
    "brier",
    "Brier",
    "number",
    False,
    "Squared error of the stated probabilities.",
    bounds=(0.0, 2.0),
    counted_in="a number in [0, 2]",
    episodes=_brier,
)
MISCALIBRATION = Measure(
    "brier_miscalibration",
    "Brier: miscalibration",
    "number",
    False,
    "The part of the Brier score that recalibration could mend (CORP).",
    bounds=(0.0, 2.0),
    counted_in="a number in [0, 2]",
    has_interval=False,
)
DISCRIMINATION = Measure(
    "brier_discrimination",
    "Brier: discrimination",
    "number",
    True,
    "What the recalibrated probabilities gain on a uniform guess (CORP).",
    bounds=(0.0, 1.0),
    counted_in="a number in [0, 1]",
    has_interval=False,
)
UNCERTAINTY = Measure(
    "brier_uncertainty",
    "Brier: uncertainty",
    "number",
    False,
    "The Brier score of a uniform guess; miscalibration - discrimination + uncertainty is the "
    "Brier score.",
    bounds=(0.0, 1.0),
    counted_in="a number in [0, 1]",
    has_interval=False,
)
NLL = Measure(
    "nll",
    "NLL",
    "number",
    False,
    "Negative log-likelihood of the true labels, nats.",
    bounds=(0.0, np.inf),
    counted_in="nats",
    episodes=_nll,
)
NLL_SCALED = Measure(
    "nll_scaled",
    "NLL, scaled",
    "number",
    False,
    "The NLL after one temperature, fitted on clean meta-val episodes, nats.",
    bounds=(0.0, np.inf),
    counted_in="nats",
    episodes=_scaled_nll,
)
ECE_SCALED = Measure(
    "ece_scaled",
    "ECE, scaled",
    "share",
    False,
    "The ECE (equal mass) after that temperature.",
)
TEMPERATURE_GAIN = Measure(
    "temperature_gain",
    "Temperature gain",
    "share",
    True,
    "The share of the NLL that the temperature takes away; below 0 where it makes matters worse.",
    bounds=(-np.inf, 1.0),
)
OF_TEMPERATURE = (NLL_SCALED, ECE_SCALED, TEMPERATURE_GAIN)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    shares, labels = calibration.probabilities(cell.arrays["logits"]), cell.arrays["labels"]
    ways = shares.shape[-1]
    parts = decompose(shares, labels[..., None] == np.arange(ways))
    return {
        BRIER.key: mean_score(BRIER, cell),
        MISCALIBRATION.key: Estimate(ways * parts.miscalibration, reason=NOT_RESAMPLED),
        DISCRIMINATION.key: Estimate(ways * parts.discrimination, reason=NOT_RESAMPLED),
        UNCERTAINTY.key: Estimate(ways * parts.uncertainty, reason=NOT_RESAMPLED),
        NLL.key: mean_score(NLL, cell),
        **_of_temperature(cell, context),
    }


def _of_temperature(cell: CellEvidence, context: ScoringContext) -> dict[str, Estimate]:
    try:
        logits = scaled_logits(cell)
    except ValueError as problem:
        return missing(OF_TEMPERATURE, str(problem))
    temperature = read_recalibration(cell.description["learner"]).temperature
    claimed = calibration.confidence(logits)
    edges = calibration.mass_edges(claimed)
    rng = context.rng
    null = calibration.null_ece(claimed, edges, rng)
    gaps = calibration.episode_gaps(claimed, cell.correct, edges)
    gain = proper.temperature_gain(cell.arrays["logits"], cell.arrays["labels"], temperature)
    return {
        NLL_SCALED.key: mean_score(NLL_SCALED, cell),
        ECE_SCALED.key: ece_interval(gaps, claimed.shape[1], null, rng=rng),
        TEMPERATURE_GAIN.key: ratio_interval(
            *gain, reference="the NLL", bounds=TEMPERATURE_GAIN.bounds
        ),
    }


PROPER_FAMILY = ScoreFamily(
    (BRIER, MISCALIBRATION, DISCRIMINATION, UNCERTAINTY, NLL, *OF_TEMPERATURE),
    _score,
    of_confidence=True,
)
