"""Whether an explanation of a prediction survives: agreement of two saliency maps."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

FloatArray = npt.NDArray[np.float64]


def rank_correlation(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> FloatArray:
    """Spearman's correlation of two saliency maps of one query, in [-1, 1].

    The measure of Ghorbani, Abid & Zou 2019: the maps of a query are those of its predicted class,
    after adapting to the clean support set and to the perturbed one. Compare them only where both
    predict the same class, and say what share was skipped. Equal pixels share their mean rank.

    >>> clean = np.array([[0.1, 0.5, 0.2, 0.9]])
    >>> rank_correlation(clean, np.array([[0.2, 0.4, 0.1, 0.8]])).round(3)
    array([0.8])

    Args:
        before: saliency of each pixel, signed or not, [..., P] with P >= 2.
        after: the same after the threat, [..., P].

    Returns:
        Float64 [...], NaN where a map is constant and so ranks nothing.
    """
    x, y = (rankdata(m, axis=-1) - (np.shape(m)[-1] + 1) / 2 for m in (before, after))
    with np.errstate(invalid="ignore"):
        ratio: FloatArray = (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return ratio


def top_overlap(
    before: npt.NDArray[Any], after: npt.NDArray[Any], share: float = 0.1
) -> FloatArray:
    """The share of the most salient pixels of one map that are also those of the other, in [0, 1].

    The top-k intersection of Ghorbani, Abid & Zou 2019 with k = ceil(share * P). Two unrelated
    maps overlap by `share` on average. Where pixels tie at the k-th place, they hold the places
    that are left in equal parts, and the overlap is that of the parts: a map agrees fully with
    itself, and a constant one with any other by `share`.

    >>> clean = np.array([[0.1, 0.5, 0.2, 0.9], [0.0, 0.0, 0.0, 1.0]])
    >>> top_overlap(clean, np.array([[0.2, 0.1, 0.4, 0.8], [0.0, 0.0, 0.0, 1.0]]), share=0.5)
    array([0.5, 1. ])

    Args:
        before: saliency of each pixel, [..., P]; take magnitudes if signs do not matter.
        after: the same after the threat, [..., P].
        share: the share of pixels that count as salient, in (0, 1].

    Returns:
        Float64 [...].
    """
    count = math.ceil(round(share * np.shape(before)[-1], 9))
    both = np.minimum(_places(before, count), _places(after, count))
    overlap: FloatArray = both.sum(axis=-1) / count
    return overlap


def _places(saliency: npt.NDArray[Any], count: int) -> FloatArray:
    """How much of one of the top `count` places each pixel holds, [..., P], summing to `count`."""
    values = np.asarray(saliency, dtype=np.float64)
    last = np.sort(values, axis=-1)[..., -count, None]
    above, level = values > last, values == last
    left = count - above.sum(axis=-1, keepdims=True)
    held: FloatArray = above + level * (left / level.sum(axis=-1, keepdims=True))
    return held
