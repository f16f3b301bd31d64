"""The p-value of a statistic whose null distribution is known only by simulation."""

from typing import Any

import numpy as np
import numpy.typing as npt

ROUNDING = 1e-12


def monte_carlo_p_value(observed: float, null: npt.NDArray[Any]) -> float:
    """The one-sided p-value (1 + #{null >= observed}) / (1 + R), never 0.

    Davison & Hinkley 1997, section 4.2; Phipson & Smyth 2010. Exact: under the null the observed
    value takes any rank among the R + 1 with equal chance. With the null ECE it is a test of
    calibration (Vaicenavicius et al. 2019).

    >>> monte_carlo_p_value(0.12, np.array([0.08, 0.10, 0.13, 0.09]))
    0.4

    Args:
        observed: the statistic of the data; large values speak against the null.
        null: the same statistic of R simulated data sets, [R].
    """
    as_extreme = np.asarray(null) >= observed - ROUNDING
    return float(1 + as_extreme.sum()) / (1 + as_extreme.size)
