"""Confidence intervals of means, and of ratios of means, with the episode as the unit."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from metarobust.stats.estimate import Estimate

Bounds = tuple[float, float]

# Episodes are drawn with replacement from the same test classes, so the interval speaks of the
# sampler and not of new classes (Lafargue et al. 2024, arXiv:2409.02850).
BY_EPISODE = "by episode, fixed test classes"
NO_EPISODE = "no episode"
ONE_EPISODE = "one episode has no spread to make an interval from"
ALL_EQUAL = "every episode gives the same value, so there is no spread to make an interval from"
SAME = 1e-12  # differences below it are rounding
FEW, NEAR = 20, 0.05


def clipped(value: float, low: float, high: float, bounds: Bounds, method: str) -> Estimate:
    """An estimate whose interval is cut at the ends of the scale, which loses no coverage."""
    return Estimate(value, float(max(low, bounds[0])), float(min(high, bounds[1])), method=method)


def t_interval(
    values: npt.NDArray[Any],
    *,
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """The mean over episodes with Student's t interval, mean ± t_{E-1} s / sqrt(E) (ddof = 1).

    With E of 10 to 50 the normal interval is too short, most of all near a bound (a nominal 95 %
    covers 86 % at accuracy 0.985 and E = 10); fewer than 20 episodes within 5 % of the scale
    from a bound are flagged in `method`. Where every episode sits exactly on a bound, s is 0 and
    says nothing: the interval is then the exact one of the share of episodes that leave the bound
    (Clopper & Pearson 1934, no event in E), which bounds the mean whatever they do then.

    >>> accuracies = np.array([0.8, 0.6, 1.0, 0.8])
    >>> estimate = t_interval(accuracies, bounds=(0, 1))
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.8, 0.54, 1.0)
    >>> round(t_interval(np.zeros(200), bounds=(0, 1)).high, 4)
    0.0183

    Args:
        values: one number per episode, [E].
        bounds: the ends of the scale; the interval is cut there.
        level: nominal coverage.

    Returns:
        No value for E = 0; no interval for E = 1, nor for equal values that lie on no bound.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0:
        return Estimate(None, reason=NO_EPISODE)
    if x.size == 1:
        return Estimate(float(x[0]), reason=ONE_EPISODE)
    scale = bounds[1] - bounds[0]
    if np.ptp(x) <= SAME:
        value = float(x[0])
        if value not in bounds or math.isinf(scale):
            return Estimate(value, reason=ALL_EQUAL)
        reach = scale * (1 - ((1 - level) / 2) ** (1 / x.size))
        method = f"exact for equal episodes, {BY_EPISODE}"
        return clipped(value, value - reach, value + reach, bounds, method)
    mean = float(x.mean())
    half = float(student.ppf((1 + level) / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
    method = f"t, {BY_EPISODE}"
    if x.size < FEW and min(mean - bounds[0], bounds[1] - mean) < NEAR * scale < math.inf:
        method += f"; too short: under {FEW} episodes near a bound"
    return clipped(mean, mean - half, mean + half, bounds, method)


def ratio_interval(
    numerator: npt.NDArray[Any],
    denominator: npt.NDArray[Any],
    *,
    reference: str = "the denominator",
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """A ratio of two means over the same episodes with Fieller's interval (Fieller 1954).

    It holds every r for which a t test on numerator - r * denominator does not reject a mean of
    0: the roots of (mx - r my)^2 = t^2 (vxx - 2 r vxy + r^2 vyy). The delta method is its
    linearisation; this one also knows when nothing can be said, for the set is bounded only where
    the denominator's own interval excludes 0, and elsewhere no ratio is reported.

    >>> clean, lost = np.array([0.9, 0.8, 1.0, 0.9]), np.array([0.3, 0.2, 0.3, 0.2])
    >>> estimate = ratio_interval(lost, clean)
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.278, 0.193, 0.353)

    Args:
        numerator: one number per episode, [E].
        denominator: one number per episode, [E].
        reference: what the denominator is, in words, for the reason.
        bounds: the ends of the ratio's scale; the interval is cut there.
        level: nominal coverage.

    Returns:
        No value where the mean denominator, or the low end of its interval, is not above 0; no
        interval for E = 1, nor where numerator = r * denominator in every episode.
    """
    x, y = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if x.size == 0:
        return Estimate(None, reason=NO_EPISODE)
    mx, my = float(x.mean()), float(y.mean())
    if my <= 0:
        return Estimate(None, reason=f"{reference} is {my:.3g}, not above 0")
    ratio = mx / my
    if x.size == 1:
        return Estimate(ratio, reason=ONE_EPISODE)
    t2 = float(student.ppf((1 + level) / 2, x.size - 1)) ** 2
    (vxx, vxy), (_, vyy) = np.cov(x, y) / x.size
    a = my**2 - t2 * vyy
    if a <= 0:
        return Estimate(None, reason=f"the interval of {reference} ({my:.3g}) covers 0")
    if np.allclose(x, ratio * y, rtol=0, atol=SAME):
        return Estimate(ratio, reason=ALL_EQUAL)
    b = mx * my - t2 * vxy
    root = math.sqrt(max(b**2 - a * (mx**2 - t2 * vxx), 0.0))
    return clipped(ratio, (b - root) / a, (b + root) / a, bounds, f"Fieller, {BY_EPISODE}")
