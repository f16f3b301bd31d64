"""The certificate of randomised smoothing: from votes of a noisy classifier to an l2 radius."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

NO_RADIUS = -1.0
"""Stands where the smoothed classifier abstains."""

Array = npt.NDArray[np.float64]


def clopper_pearson_lower(
    successes: npt.NDArray[Any] | int, trials: int, alpha: float = 1e-3
) -> Array:
    """The exact one-sided lower bound of a binomial share (Clopper & Pearson 1934).

    The share p for which `successes` or more of `trials` have probability alpha: the alpha quantile
    of Beta(k, n - k + 1); 0 without a success.

    >>> float(clopper_pearson_lower(100, 100, 0.001).round(4))
    0.9333

    Args:
        successes: k, of any shape, 0 to `trials`.
        trials: n, at least 1.
        alpha: probability of a bound above the truth, in (0, 1).
    """
    k = np.asarray(successes, dtype=np.float64)
    bound = beta.ppf(alpha, np.maximum(k, 1), trials - np.maximum(k, 1) + 1)
    return np.where(k > 0, bound, 0.0)


def smoothed_radius(
    successes: npt.NDArray[Any], trials: int, sigma: float, alpha: float = 1e-3
) -> Array:
    """Radius within which a classifier smoothed by Gaussian noise cannot change its answer.

    sigma Phi^-1(p), p the lower bound of the chosen class's share of votes, where p > 1/2; else the
    classifier abstains (Cohen, Rosenfeld & Kolter, ICML 2019, theorem 1 and CERTIFY). The class
    must have been chosen by other votes than these.

    Args:
        successes: votes for the chosen class, of any shape.
        trials: all votes.
        sigma: standard deviation of the noise, in pixel units of [0, 1].
        alpha: probability that a radius is too large.

    Returns:
        l2 radii in pixel units of [0, 1], above 0; -1 where it abstains.

    >>> smoothed_radius(np.array([100, 40]), 100, sigma=0.5).round(3).tolist()
    [0.75, -1.0]
    """
    share = clopper_pearson_lower(successes, trials, alpha)
    radius = sigma * norm.ppf(np.clip(share, 0.5, None))
    return np.where(share > 0.5, radius, NO_RADIUS)
