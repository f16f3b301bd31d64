"""Scores of predicted values: squared error, Gaussian likelihood, and central intervals."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

FloatArray = npt.NDArray[np.float64]


def squared_error(means: npt.NDArray[Any], targets: npt.NDArray[Any]) -> FloatArray:
    """(m - y)^2 of each query, in the square of the units of y.

    >>> squared_error(np.array([1.0, 3.0]), np.array([1.5, 1.0]))
    array([0.25, 4.  ])
    """
    errors: FloatArray = (np.float64(means) - targets) ** 2
    return errors


def gaussian_nll(
    means: npt.NDArray[Any], deviations: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> FloatArray:
    """-log N(y; m, s^2) of each query, in nats; a density, so that it may be negative.

    >>> gaussian_nll(np.zeros(1), np.ones(1), np.zeros(1)).round(4)
    array([0.9189])
    """
    z = (np.float64(targets) - means) / deviations
    found: FloatArray = z**2 / 2 + np.log(np.float64(deviations)) + math.log(math.tau) / 2
    return found


def half_widths(deviations: npt.NDArray[Any], level: float = 0.9) -> FloatArray:
    """How far the central interval of a Gaussian reaches from its mean.

    >>> half_widths(np.ones(1)).round(3)
    array([1.645])

    Args:
        deviations: standard deviations.
        level: share of the probability inside, in (0, 1).
    """
    reach: FloatArray = norm.ppf((1 + level) / 2) * np.float64(deviations)
    return reach
