"""Claims about a training method: the meta-training seed is the unit, not the episode."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import NO_EPISODE, SAME, Bounds, clipped, t_interval

BY_SEED = "t, by meta-training seed, fixed episodes"
ONE_SEED = "this checkpoint only"
NO_SEED = "no meta-training seed"
EQUAL_SEEDS = "every seed gives the same value, so there is no spread to make an interval from"


def seed_interval(
    values: npt.NDArray[Any],
    *,
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """The mean of a method over its meta-training seeds, with Student's t interval over seed means.

    Checkpoints of one method differ by more than their episodes tell: with a spread of 1 point
    between seeds, an interval over 600 episodes of one checkpoint covers the method half of the
    time. Bring 5 seeds or more. Where all were scored on the same episodes, as in an audit, the
    difficulty that these happen to have is common to the seed means and not in their spread; the
    `method` says so.

    >>> accuracies = np.array([[0.70, 0.74], [0.66, 0.70], [0.72, 0.76]])
    >>> estimate = seed_interval(accuracies, bounds=(0, 1))
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.713, 0.637, 0.789)
    >>> seed_interval(accuracies[:1], bounds=(0, 1)).method
    't, by episode, fixed test classes; this checkpoint only'

    Args:
        values: one number per seed and episode, [S, E]; or paired differences of two methods that
            shared their seeds.
        bounds: the ends of the scale; the interval is cut there.
        level: nominal coverage.

    Returns:
        For S = 1 the interval by episode, whose `method` says that it speaks of one checkpoint.
    """
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        return Estimate(None, reason=NO_EPISODE if len(x) else NO_SEED)
    if len(x) == 1:
        return _one_checkpoint(t_interval(x[0], bounds=bounds, level=level))
    means = x.mean(axis=1)
    return _student(
        float(means.mean()), float(means.var(ddof=1)) / len(means), len(means) - 1, bounds, level
    )


def seed_difference(
    ours: npt.NDArray[Any],
    theirs: npt.NDArray[Any],
    *,
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """How much one method beats another over seeds that were not shared: Welch's t interval.

    Welch 1947, on the seed means; both methods were scored on the same episodes, whose difficulty
    therefore cancels. Where seeds were shared, pass their differences to `seed_interval`.

    >>> ours = np.array([[0.70, 0.74], [0.66, 0.70], [0.72, 0.76]])
    >>> theirs = np.array([[0.60, 0.64], [0.62, 0.66]])
    >>> estimate = seed_difference(ours, theirs)
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.083, 0.017, 0.149)

    Args:
        ours: one number per seed and episode, [S, E].
        theirs: the same of the other method, [T, E].
        bounds: the ends of the scale of the difference.
        level: nominal coverage.

    Returns:
        Where a method has one seed only, the paired interval by episode of the difference of the
        mean checkpoints, whose `method` says that it speaks of these checkpoints.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if not a.size or not b.size:
        return Estimate(None, reason=NO_EPISODE if len(a) and len(b) else NO_SEED)
    if min(len(a), len(b)) == 1:
        paired = t_interval(a.mean(axis=0) - b.mean(axis=0), bounds=bounds, level=level)
        return _one_checkpoint(paired)
    squares = [float(x.mean(axis=1).var(ddof=1)) / len(x) for x in (a, b)]
    freedom = sum(squares) ** 2 / max(
        sum(s**2 / (len(x) - 1) for s, x in zip(squares, (a, b), strict=True)), SAME**4
    )
    return _student(float(a.mean() - b.mean()), sum(squares), freedom, bounds, level)


def _student(value: float, square: float, freedom: float, bounds: Bounds, level: float) -> Estimate:
    if math.sqrt(square) <= SAME:
        return Estimate(value, reason=EQUAL_SEEDS)
    half = float(student.ppf((1 + level) / 2, freedom)) * math.sqrt(square)
    return clipped(value, value - half, value + half, bounds, BY_SEED)


def _one_checkpoint(estimate: Estimate) -> Estimate:
    method = f"{estimate.method}; {ONE_SEED}" if estimate.method else ""
    reason = f"{estimate.reason}; {ONE_SEED}" if estimate.reason else ""
    return replace(estimate, method=method, reason=reason)
