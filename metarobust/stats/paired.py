"""Comparisons of two learners or two conditions on the same episodes."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test

from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import Bounds, t_interval


@dataclass(frozen=True)
class PairedTest:
    """The outcome of a test that two conditions differ.

    Attributes:
        difference: mean of the per-episode differences.
        p_value: two-sided, or None.
        reason: why there is no p-value, or why it is 1 by convention; else empty.
    """

    difference: float | None
    p_value: float | None
    reason: str = ""


def paired_interval(
    differences: npt.NDArray[Any],
    *,
    bounds: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Estimate:
    """The mean difference over episodes that both conditions saw, with its t interval.

    Episodes differ in difficulty far more than conditions do; pairing removes that.

    >>> clean, attacked = np.array([0.9, 0.5, 0.7]), np.array([0.8, 0.3, 0.6])
    >>> estimate = paired_interval(clean - attacked)
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (0.133, -0.01, 0.277)

    Args:
        differences: one condition less the other, episode by episode, [E].
        bounds: the ends of the scale of the difference.
        level: nominal coverage.
    """
    estimate = t_interval(differences, bounds=bounds, level=level)
    return replace(estimate, method=f"paired {estimate.method}" if estimate.method else "")


def sign_flip_test(
    differences: npt.NDArray[Any],
    *,
    rng: np.random.Generator,
    resamples: int = 9999,
) -> PairedTest:
    """Fisher's randomisation test of a zero mean difference: signs flipped at random.

    Exact where 2^E <= resamples (all flips are tried); else no p-value is below
    2 / (resamples + 1) (Phipson & Smyth 2010).

    >>> sign_flip_test(np.array([0.4, 0.2, 0.1, 0.5]), rng=np.random.default_rng(0)).p_value
    0.125

    Args:
        differences: one condition less the other, episode by episode, [E].
        rng: where the flips are drawn from.
        resamples: how many flips.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.size < 2:
        value = float(d[0]) if d.size else None
        return PairedTest(value, None, "fewer than two episodes cannot be tested")
    if not d.any():
        return PairedTest(0.0, 1.0, "every difference is 0, so p is 1 by convention")
    found = permutation_test(
        (d,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=1000,
        rng=rng,
    )
    return PairedTest(float(d.mean()), float(found.pvalue))
