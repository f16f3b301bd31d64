"""The CORP decomposition of the Brier score: miscalibration, discrimination, uncertainty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """A mean squared error in parts: score = miscalibration - discrimination + uncertainty.

    Attributes:
        score: mean (outcome - forecast)^2.
        miscalibration: what recalibration would gain, at least 0 (MCB).
        discrimination: what the forecasts, recalibrated, gain on the base rate, at least 0 (DSC).
        uncertainty: the score of the base rate, r (1 - r) (UNC).
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def recalibrated(forecasts: npt.NDArray[Any], outcomes: npt.NDArray[Any]) -> FloatArray:
    """The best forecasts that keep the order: isotonic regression of outcomes on forecasts.

    Pool adjacent violators (Ayer et al. 1955); equal forecasts get one value. Against the
    forecasts it is the CORP reliability diagram, which has no bins to choose.

    >>> recalibrated(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1]))
    array([0. , 0.5, 0.5, 1. ])

    Args:
        forecasts: probabilities, any shape.
        outcomes: whether the event came, the same shape.

    Returns:
        Float64, the same shape.
    """
    shape = np.shape(forecasts)
    _, place, count = np.unique(np.ravel(forecasts), return_inverse=True, return_counts=True)
    rates = np.bincount(place, weights=np.ravel(np.asarray(outcomes, dtype=np.float64))) / count
    fitted: FloatArray = isotonic_regression(rates, weights=count).x[place].reshape(shape)
    return fitted


def decompose(forecasts: npt.NDArray[Any], outcomes: npt.NDArray[Any]) -> Decomposition:
    """Decompose the mean squared error of forecasts without bins, exactly.

    Dimitriadis, Gneiting & Jordan 2021 (PNAS 118, e2016191118), with S the mean squared error:
    MCB = S(forecasts) - S(recalibrated), DSC = S(base rate) - S(recalibrated), UNC = S(base rate).

    Two uses. Confidence against correctness, [E, Q] both: may the confidence be trusted, and does
    it tell right from wrong? All N probabilities against 1[k = y], [E, Q, N] both: times N, the
    parts of the multi-class Brier score. With few queries the isotonic fit follows the noise, so
    MCB and DSC are both biased upwards; their difference is not.

    >>> parts = decompose(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1]))
    >>> round(parts.miscalibration, 3), round(parts.discrimination, 3), parts.uncertainty
    (0.075, 0.125, 0.25)
    >>> round(parts.score, 3)
    0.2

    Args:
        forecasts: probabilities, any shape, at least one.
        outcomes: whether the event came, the same shape.
    """
    claimed, came = np.asarray(forecasts, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    score = float(((came - claimed) ** 2).mean())
    best = float(((came - recalibrated(claimed, came)) ** 2).mean())
    rate = float(came.mean())
    uncertainty = rate * (1 - rate)
    return Decomposition(score, score - best, uncertainty - best, uncertainty)
