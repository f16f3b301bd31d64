"""Proper scores of probabilistic predictions, and what one temperature would gain on them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from metarobust.metrics.accuracy import Ratio

FloatArray = npt.NDArray[np.float64]

COLDEST, HOTTEST = 0.05, 20.0


def brier(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> FloatArray:
    """The Brier score of each query, sum_k (p_k - 1[k = y])^2, in [0, 2] (Brier 1950).

    A uniform guess among N classes scores 1 - 1/N. Not halved, also for two classes.

    >>> brier(np.array([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]), np.array([0, 0, 1]))
    array([0.5, 0. , 2. ])

    Args:
        probabilities: [..., N], each summing to 1.
        labels: int64 [...] in [0, N).

    Returns:
        Float64 [...].
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    truth = np.eye(shares.shape[-1])[labels]
    scores: FloatArray = ((shares - truth) ** 2).sum(axis=-1)
    return scores


def nll(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> FloatArray:
    """Negative log-likelihood of each query in nats, -log softmax(z)_y, at least 0.

    From logits, in float64: a probability that has underflowed to 0 would cost whatever the
    clipping constant of the library says.

    >>> nll(np.array([[0.0, 0.0], [0.0, 2000.0]]), np.array([0, 0])).round(3)
    array([6.93e-01, 2.00e+03])

    Args:
        logits: [..., N], finite.
        labels: int64 [...] in [0, N).

    Returns:
        Float64 [...].
    """
    scores = -log_softmax(np.asarray(logits, dtype=np.float64), axis=-1)
    own: FloatArray = np.take_along_axis(scores, np.asarray(labels)[..., None], axis=-1)[..., 0]
    return own


def fit_temperature(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """The temperature T in [0.05, 20] that minimises the mean NLL of logits / T.

    Guo et al. 2017, section 4.2. The NLL is convex in 1/T, so it has one minimum in log T, and a
    bounded Brent search finds it; it ends at the coldest T where every query is right. Fit it on
    meta-validation episodes, never on the queries that are scored.

    >>> logits, labels = np.tile([4.0, 0.0], (4, 1)), np.array([0, 0, 0, 1])
    >>> round(fit_temperature(logits, labels), 4) == round(4.0 / math.log(3.0), 4)
    True

    Args:
        logits: [..., N], finite.
        labels: int64 [...] in [0, N).
    """
    scores = np.asarray(logits, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        return float(nll(scores / math.exp(log_temperature), labels).mean())

    found = minimize_scalar(
        loss,
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(found.x)


def temperature_gain(
    logits: npt.NDArray[Any], labels: npt.NDArray[Any], temperature: float
) -> Ratio:
    """The share of the NLL that a temperature buys, (NLL(1) - NLL(T)) / NLL(1), at most 1.

    With T fitted on meta-validation episodes it is the part of the loss that is mere scale of the
    logits; the rest no temperature mends. Below 0 where T, fitted on clean episodes, makes matters
    worse, as it can under a threat.

    >>> logits, labels = np.tile([4.0, 0.0], (1, 4, 1)), np.array([[0, 0, 0, 1]])
    >>> gain = temperature_gain(logits, labels, 4.0 / math.log(3.0))
    >>> round(gain.value, 3)
    0.448

    Args:
        logits: [E, Q, N], finite.
        labels: int64 [E, Q] in [0, N).
        temperature: T, above 0.
    """
    before = nll(logits, labels).mean(axis=-1)
    after = nll(np.asarray(logits, dtype=np.float64) / temperature, labels).mean(axis=-1)
    return Ratio(before - after, before)
