"""Adjusted p-values for families of tests."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def holm(p_values: npt.NDArray[Any]) -> FloatArray:
    """Holm's step-down adjustment: controls the chance of any false claim (Holm 1979).

    For a few named comparisons, such as pairs of learners at the headline threats.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])

    Args:
        p_values: [M], each in [0, 1].

    Returns:
        Adjusted p-values in the order given, float64 [M].
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: npt.NDArray[Any]) -> FloatArray:
    """Step-up adjustment that controls the share of false claims (Benjamini & Hochberg 1995).

    For grids that are explored, such as corruptions by severities.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.04, 0.04])

    Args:
        p_values: [M], each in [0, 1].

    Returns:
        Adjusted p-values in the order given, float64 [M].
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[::-1]
    adjusted = np.empty_like(p)
    steps = p[order] * (p.size / np.arange(p.size, 0, -1))
    adjusted[order] = np.minimum.accumulate(steps)
    return adjusted
