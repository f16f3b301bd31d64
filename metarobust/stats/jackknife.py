"""The interval over new classes, from episodes that were drawn from a fixed pool of them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import (
    ALL_EQUAL,
    NO_EPISODE,
    ONE_EPISODE,
    SAME,
    Bounds,
    clipped,
)


def class_jackknife(
    values: npt.NDArray[Any],
    class_ids: npt.NDArray[Any],
    *,
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """The mean over episodes with an interval that also speaks of classes never drawn.

    Episodes share their classes, so the interval by episode narrows without end while the classes
    stay the same few (Lafargue et al. 2024, arXiv:2409.02850). Here each class c is left out in
    turn (Quenouille 1956; Tukey 1958), th_c being the mean over the episodes without it:

        V = (C-1)/C sum_c (th_c - mean th)^2 - (C-1)/C sum_c s2 (1/(E - n_c) - 1/E)

    The second sum is the part of the first that only comes from E being finite; n_c counts the
    episodes with class c, and s2 is the residual variance of a regression of the values on class
    membership. The variance is max(V, 0) + s2/E, and the quantile Student's with C - 1 degrees.

    >>> pairs = np.array([[0, 1], [2, 3], [0, 2], [1, 3], [0, 3], [1, 2]])
    >>> values = np.array([0.9, 0.5, 0.8, 0.6, 0.8, 0.7])
    >>> estimate = class_jackknife(values, pairs, bounds=(0, 1))
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.717, 0.302, 1.0)

    Args:
        values: one number per episode, [E].
        class_ids: the global classes of each episode, int64 [E, N].
        bounds: the ends of the scale; the interval is cut there.
        level: nominal coverage.

    Returns:
        No value for E = 0; no interval for E = 1, nor where a class is in every episode, or where
        there are no more episodes than classes.
    """
    x = np.asarray(values, dtype=np.float64)
    episodes = x.size
    if episodes == 0:
        return Estimate(None, reason=NO_EPISODE)
    value = float(x.mean())
    if episodes == 1:
        return Estimate(value, reason=ONE_EPISODE)
    if np.ptp(x) <= SAME:
        return Estimate(value, reason=ALL_EQUAL)
    classes = np.unique(class_ids)
    member = (np.asarray(class_ids)[:, :, None] == classes).any(axis=1).astype(np.float64)
    count = classes.size
    without = episodes - member.sum(axis=0)
    if without.min() == 0:
        return Estimate(value, reason="a class is in every episode and cannot be left out")
    design = np.column_stack([np.ones(episodes), member])
    coefficients, _, rank, _ = np.linalg.lstsq(design, x, rcond=None)
    if episodes <= rank:
        return Estimate(
            value, reason=f"{episodes} episodes cannot tell {count} classes from their own noise"
        )
    s2 = float(((x - design @ coefficients) ** 2).sum()) / (episodes - int(rank))
    left_out = (x @ (1 - member)) / without
    spread = float(((left_out - left_out.mean()) ** 2).sum())
    noise = s2 * float((1 / without - 1 / episodes).sum())
    variance = max((count - 1) / count * (spread - noise), 0.0) + s2 / episodes
    half = float(student.ppf((1 + level) / 2, count - 1)) * math.sqrt(variance)
    return clipped(value, value - half, value + half, bounds, "class jackknife, new classes")
