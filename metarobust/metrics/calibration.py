"""Whether a confidence means what it says: binned calibration errors and their null value."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Queries grouped by confidence; empty bins are left out.

    Attributes:
        count: queries in each bin, int64 [B].
        confidence: their mean confidence, [B].
        accuracy: their share of correct answers, [B].
    """

    count: npt.NDArray[np.int64]
    confidence: FloatArray
    accuracy: FloatArray


def probabilities(logits: npt.NDArray[Any]) -> FloatArray:
    """Softmax over the last axis in float64, whatever the dtype that comes.

    >>> probabilities(np.array([[0.0, np.log(3.0)], [1000.0, 1000.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    shares: FloatArray = softmax(np.asarray(logits, dtype=np.float64), axis=-1)
    return shares


def confidence(logits: npt.NDArray[Any]) -> FloatArray:
    """The probability of the predicted class, in [1/N, 1].

    >>> confidence(np.array([0.0, np.log(3.0)])).round(3).item()
    0.75

    Args:
        logits: [..., N].

    Returns:
        Float64 [...].
    """
    top: FloatArray = probabilities(logits).max(axis=-1)
    return top


def width_edges(bins: int = 15) -> FloatArray:
    """Inner edges of equal-width bins ((b-1)/B, b/B] of [0, 1] (Naeini et al. 2015).

    >>> width_edges(4)
    array([0.25, 0.5 , 0.75])

    Returns:
        Float64 [B - 1]. Bins are open below and closed above, and the outer two have no outer
        edge, so that a confidence of exactly 1 belongs to the last bin and not to one of its own.
    """
    return np.linspace(0.0, 1.0, bins + 1)[1:-1]


def mass_edges(confidences: npt.NDArray[Any], bins: int = 15) -> FloatArray:
    """Inner edges of bins that hold equal shares of the queries (Nguyen & O'Connor 2015).

    Equal confidences are never split, so the answer does not depend on their order; where
    many coincide, fewer bins remain.

    >>> mass_edges(np.array([0.2, 0.9, 0.4, 0.6]), bins=2)
    array([0.4])
    >>> mass_edges(np.array([0.5, 1.0, 1.0, 1.0]), bins=4)
    array([0.5, 1. ])

    Args:
        confidences: of any shape, at least one.
        bins: how many bins to aim at.

    Returns:
        Float64, at most B - 1 increasing edges: the b/B quantiles, each the smallest value with at
        least that share of the queries at or below it.
    """
    ordered = np.sort(np.asarray(confidences, dtype=np.float64), axis=None)
    ranks = -(-np.arange(1, bins) * ordered.size // bins)
    return np.unique(ordered[ranks - 1])


def reliability_bins(
    confidences: npt.NDArray[Any], correct: npt.NDArray[Any], edges: FloatArray
) -> Bins:
    """The points of a reliability diagram (DeGroot & Fienberg 1983).

    >>> c, a = np.array([0.3, 0.4, 0.9, 1.0]), np.array([False, True, True, True])
    >>> bins = reliability_bins(c, a, width_edges(2))
    >>> bins.count, bins.confidence, bins.accuracy
    (array([2, 2]), array([0.35, 0.95]), array([0.5, 1. ]))

    Args:
        confidences: of the predicted class, any shape.
        correct: whether the prediction is right, the same shape.
        edges: inner edges, increasing.
    """
    place = np.searchsorted(edges, np.ravel(confidences), side="left")
    found, place, count = np.unique(place, return_inverse=True, return_counts=True)
    claimed, right = np.zeros(found.size), np.zeros(found.size)
    np.add.at(claimed, place, np.ravel(confidences))
    np.add.at(right, place, np.ravel(correct))
    return Bins(count, claimed / count, right / count)


def episode_gaps(
    confidences: npt.NDArray[Any], correct: npt.NDArray[Any], edges: FloatArray
) -> FloatArray:
    """Per-episode sums of (correct - confidence) in each bin: all that a pooled ECE needs.

    The pooled ECE is `abs(gaps.sum(0)).sum() / (E * Q)`, so a bootstrap over episodes costs one
    matrix product.

    >>> c, a = np.array([[0.3, 0.9], [0.4, 1.0]]), np.array([[False, True], [True, True]])
    >>> episode_gaps(c, a, width_edges(2)).round(2)
    array([[-0.3,  0.1],
           [ 0.6,  0. ]])

    Args:
        confidences: of the predicted class, [E, Q].
        correct: whether the prediction is right, [E, Q].
        edges: inner edges, increasing, [B - 1].

    Returns:
        Float64 [E, B].
    """
    place = np.searchsorted(edges, confidences, side="left")
    sums = np.zeros((len(place), len(edges) + 1))
    row = np.broadcast_to(np.arange(len(place))[:, None], place.shape)
    np.add.at(sums, (row, place), correct - np.asarray(confidences, dtype=np.float64))
    return sums


def signed_gap(confidences: npt.NDArray[Any], correct: npt.NDArray[Any]) -> FloatArray:
    """Mean confidence less accuracy of each episode, in [-1, 1]; above 0 where overconfident.

    An over-confident episode and an under-confident one cancel in the pooled ECE, not in the
    spread of this.

    >>> signed_gap(np.array([[0.9, 0.7], [0.6, 0.6]]), np.array([[1, 0], [1, 1]])).round(3)
    array([ 0.3, -0.4])

    Args:
        confidences: of the predicted class, [E, Q].
        correct: whether the prediction is right, [E, Q].
    """
    claimed: FloatArray = np.mean(confidences, axis=-1, dtype=np.float64)
    return claimed - np.mean(correct, axis=-1, dtype=np.float64)


def ece(bins: Bins) -> float:
    """Expected calibration error, sum_b n_b/n |accuracy_b - confidence_b|, in [0, 1].

    Naeini et al. 2015; Guo et al. 2017, Eq. 3. It is biased upwards when queries are few: always
    read it next to `null_ece`, and pool episodes before binning.

    >>> bins = Bins(np.array([2, 2]), np.array([0.35, 0.95]), np.array([0.5, 1.0]))
    >>> round(ece(bins), 3)
    0.1
    """
    return float(bins.count @ np.abs(bins.accuracy - bins.confidence) / bins.count.sum())


def mce(bins: Bins, floor: int = 30) -> float:
    """Maximum calibration error over the bins that hold at least `floor` queries, in [0, 1].

    Naeini et al. 2015. Without a floor the largest gap is that of the emptiest bin.

    >>> bins = Bins(np.array([50, 2]), np.array([0.35, 0.95]), np.array([0.4, 0.0]))
    >>> round(mce(bins), 3)
    0.05

    Raises:
        ValueError: no bin holds that many queries.
    """
    full = bins.count >= floor
    if not full.any():
        raise ValueError(
            f"expected a bin of at least {floor} queries, the fullest has "
            f"{bins.count.max(initial=0)}; pool more episodes or ask for fewer bins"
        )
    return float(np.abs(bins.accuracy - bins.confidence)[full].max())


def debiased_square(bins: Bins) -> float:
    """Squared l2 calibration error less its sampling bias: may be negative, and then means none.

    sum_b n_b/n [(acc_b - conf_b)^2 - acc_b (1 - acc_b) / (n_b - 1)]: Bröcker 2012; Kumar, Liang
    & Ma 2019. Bins of one query, whose variance is unknown, add nothing.

    >>> bins = Bins(np.array([5, 5]), np.array([0.4, 0.8]), np.array([0.4, 0.6]))
    >>> round(debiased_square(bins), 3)
    -0.04
    """
    spread = bins.accuracy * (1 - bins.accuracy) / np.maximum(bins.count - 1, 1)
    error = (bins.accuracy - bins.confidence) ** 2 - spread
    return float(np.where(bins.count > 1, bins.count * error, 0.0).sum() / bins.count.sum())


def null_ece(
    confidences: npt.NDArray[Any],
    edges: FloatArray,
    rng: np.random.Generator,
    resamples: int = 200,
) -> FloatArray:
    """The ECE that a perfectly calibrated learner would show with these very confidences.

    Consistency resampling (Bröcker & Smith 2007; Vaicenavicius et al. 2019): each answer is right
    with the probability its confidence claims, a_i ~ Bernoulli(c_i).

    >>> c = np.linspace(0.2, 1.0, 75)
    >>> null_ece(c, mass_edges(c), np.random.default_rng(0)).mean().round(2).item()
    0.15

    Args:
        confidences: of the predicted class, any shape; n in all.
        edges: inner edges, increasing.
        rng: where the outcomes are drawn from.
        resamples: how many times, R.

    Returns:
        Float64 [R].
    """
    ordered = np.sort(np.asarray(confidences, dtype=np.float64), axis=None)
    place = np.searchsorted(edges, ordered, side="left")
    starts = np.unique(place, return_index=True)[1]
    size = ordered.size

    def draw() -> float:
        gaps = (rng.random(size) < ordered) - ordered
        return float(np.abs(np.add.reduceat(gaps, starts)).sum() / size)

    return np.array([draw() for _ in range(resamples)])
