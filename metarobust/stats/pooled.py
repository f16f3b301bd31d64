"""Intervals by episode for any statistic of pooled queries, such as an AUROC or an AURC."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import (
    ALL_EQUAL,
    BY_EPISODE,
    NO_EPISODE,
    ONE_EPISODE,
    SAME,
    Bounds,
    clipped,
)

UNDEFINED_SHARE = 0.05


def pooled_interval(
    statistic: Callable[..., float],
    *arrays: npt.NDArray[Any],
    rng: np.random.Generator,
    bounds: Bounds = (-math.inf, math.inf),
    resamples: int = 500,
    level: float = 0.95,
) -> Estimate:
    """Any statistic of whole episodes, with a bootstrap interval that resamples the episodes.

    The interval is the value plus and minus the farther of the two percentiles, so that it holds
    both the percentile and the basic interval. That costs an AUROC a few percent of width, and is
    what covers where resamples are biased against the value as the value is against the truth, as
    those of a calibration error are. In simulations of 20 to 100 episodes a nominal 95 % covers
    an AUROC, an AURC or a median 0.93 to 0.98. For the extremes of several groups it is not
    enough: see `group_extremes`.

    >>> radii = np.array([[0.1, 0.4], [0.2, 0.2], [0.3, 0.6], [0.1, 0.2], [0.5, 0.3], [0.2, 0.4]])
    >>> estimate = pooled_interval(np.median, radii, rng=np.random.default_rng(0))
    >>> round(estimate.value, 2), round(estimate.low, 2), round(estimate.high, 2)
    (0.25, 0.15, 0.35)

    Args:
        statistic: maps the arrays to a finite number, or raises ValueError where it is undefined.
        arrays: evidence of the same episodes, [E, ...] each.
        rng: where the resamples are drawn from.
        bounds: the ends of the scale; the interval is cut there.
        resamples: how many.
        level: nominal coverage.

    Returns:
        No value for E = 0, nor where the statistic is undefined or infinite; no interval for
        E = 1, where every resample gives the same value, nor where more than 5 % of the resamples
        have none.
    """
    episodes = len(arrays[0])
    if not episodes:
        return Estimate(None, reason=NO_EPISODE)
    try:
        value = float(statistic(*arrays))
    except ValueError as error:
        return Estimate(None, reason=str(error))
    if not math.isfinite(value):
        return Estimate(None, reason=f"the statistic is {value}")
    if episodes == 1:
        return Estimate(value, reason=ONE_EPISODE)
    draws = [
        _resampled(statistic, arrays, rng.integers(episodes, size=episodes))
        for _ in range(resamples)
    ]
    return reaching(value, np.array(draws), bounds, level)


def reaching(
    value: float, resampled: npt.NDArray[np.float64], bounds: Bounds, level: float
) -> Estimate:
    """A value with the interval of its resamples, plus and minus the farther percentile.

    Args:
        value: the statistic of the data, finite.
        resampled: the statistic of each resample, [R]; not finite where it is undefined.
        bounds: the ends of the scale; the interval is cut there.
        level: nominal coverage.

    Returns:
        No interval where every resample gives the same value, nor where more than 5 % of them
        have none.
    """
    found, resamples = resampled[np.isfinite(resampled)], resampled.size
    missing = resamples - found.size
    if missing > UNDEFINED_SHARE * resamples:
        return Estimate(value, reason=f"undefined in {missing} of {resamples} resamples")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    reach = float(max(high - value, value - low))
    if reach <= SAME:
        return Estimate(value, reason=ALL_EQUAL)
    method = f"bootstrap, {BY_EPISODE}"
    if missing:
        method += f"; undefined in {missing} of {resamples} resamples"
    return clipped(value, value - reach, value + reach, bounds, method)


def _resampled(
    statistic: Callable[..., float],
    arrays: tuple[npt.NDArray[Any], ...],
    rows: npt.NDArray[np.int64],
) -> float:
    try:
        return float(statistic(*(array[rows] for array in arrays)))
    except ValueError:
        return math.nan
