"""Split conformal prediction: sets of classes that hold the true one as often as promised."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def lac_scores(probabilities: npt.NDArray[Any]) -> FloatArray:
    """How badly each class fits, 1 - p_k, in [0, 1]: the smallest sets (Sadinle et al. 2019).

    >>> lac_scores(np.array([0.75, 0.25]))
    array([0.25, 0.75])

    Args:
        probabilities: [..., N].

    Returns:
        Float64 [..., N].
    """
    return 1.0 - np.asarray(probabilities, dtype=np.float64)


def aps_scores(probabilities: npt.NDArray[Any]) -> FloatArray:
    """The probability of all classes at least as likely, in [0, 1]: sets that adapt to difficulty.

    Romano, Sesia & Candès 2020 without their randomisation, so that a query has the same set each
    time; the class itself is counted in, and equal probabilities enter together.

    >>> aps_scores(np.array([0.2, 0.5, 0.3])).round(3)
    array([1. , 0.5, 0.8])

    Args:
        probabilities: [..., N].

    Returns:
        Float64 [..., N].
    """
    p = np.asarray(probabilities, dtype=np.float64)
    at_least = p[..., None, :] >= p[..., :, None]
    masses: FloatArray = np.where(at_least, p[..., None, :], 0.0).sum(axis=-1)
    return masses


def conformal_threshold(
    scores: npt.NDArray[Any], labels: npt.NDArray[Any], coverage: float
) -> float:
    """The ceil((n + 1) * coverage)-th smallest score of a true class, n calibration queries pooled.

    Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023, section 1. For a new query that is
    exchangeable with them its sets cover at least `coverage`, and that exceeded by at most
    1 / (n + 1). Where the rank is n + 1 no score is enough and every set must be all classes: 16
    queries cannot promise 95 % (19 can). Calibrate on meta-validation episodes, never on the
    queries that are scored.

    >>> scores = lac_scores(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]]))
    >>> round(conformal_threshold(scores, np.array([0, 0, 1, 0]), 0.6), 3)
    0.3
    >>> conformal_threshold(scores, np.array([0, 0, 1, 0]), 0.9)
    inf

    Args:
        scores: how badly each class fits, [..., N].
        labels: int64 [...] in [0, N).
        coverage: the promise, in (0, 1).

    Returns:
        Infinite where there are too few calibration queries.
    """
    own = np.take_along_axis(np.asarray(scores), np.asarray(labels)[..., None], axis=-1)
    ordered = np.sort(own, axis=None)
    rank = math.ceil(round((ordered.size + 1) * coverage, 9))
    return float(ordered[rank - 1]) if rank <= ordered.size else math.inf


def prediction_sets(scores: npt.NDArray[Any], threshold: float) -> BoolArray:
    """The classes that fit well enough, score <= threshold; a set may be empty.

    >>> prediction_sets(lac_scores(np.array([[0.6, 0.4], [0.8, 0.2]])), 0.7)
    array([[ True,  True],
           [ True, False]])

    Args:
        scores: how badly each class fits, [..., N].
        threshold: from `conformal_threshold`.

    Returns:
        Bool [..., N].
    """
    sets: BoolArray = np.asarray(scores) <= threshold
    return sets


def set_coverage(sets: BoolArray, labels: npt.NDArray[Any]) -> FloatArray:
    """The share of queries whose set holds the true class, episode by episode, in [0, 1].

    The promise is for the mean over episodes ("marginal"), and for queries like those of the
    calibration: it says nothing of one episode, and nothing under a threat. So read its worst
    decile too, `tail.cvar` of this array.

    >>> sets = np.array([[[True, True], [True, False]], [[False, True], [True, False]]])
    >>> set_coverage(sets, np.array([[1, 1], [1, 0]]))
    array([0.5, 1. ])

    Args:
        sets: bool [..., Q, N].
        labels: int64 [..., Q] in [0, N).

    Returns:
        Float64 [...].
    """
    held = np.take_along_axis(sets, np.asarray(labels)[..., None], axis=-1)[..., 0]
    shares: FloatArray = held.mean(axis=-1, dtype=np.float64)
    return shares


def set_size(sets: BoolArray) -> FloatArray:
    """The mean number of classes in a set, episode by episode, in [0, N].

    >>> set_size(np.array([[[True, True], [True, False]], [[False, True], [True, False]]]))
    array([1.5, 1. ])

    Args:
        sets: bool [..., Q, N].

    Returns:
        Float64 [...].
    """
    sizes: FloatArray = sets.sum(axis=-1).mean(axis=-1, dtype=np.float64)
    return sizes
