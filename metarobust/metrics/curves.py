"""What a whole curve of accuracy against budget says, in one number."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid

FloatArray = npt.NDArray[np.float64]


def curve_area(budgets: npt.NDArray[Any], accuracies: npt.NDArray[Any]) -> FloatArray:
    """The mean height of an accuracy curve: its trapezoid area over the largest budget, in [0, 1].

    Against eps it is the area under the robust accuracy curve; against severity 0 to 5 it is
    called severity-AUC here, because AURC already names the risk-coverage curve. Only curves on
    the same budgets compare.

    >>> eps = np.array([0, 4, 8]) / 255
    >>> curve_area(eps, np.array([[1.0, 0.5, 0.0], [0.8, 0.8, 0.4]])).round(3)
    array([0.5, 0.7])

    Args:
        budgets: increasing from 0, which is the clean cell, [K] with K >= 2.
        accuracies: of the same episodes at each budget, [..., K].

    Returns:
        Float64 [...]: one area per episode, so that its interval is that of a mean.

    Raises:
        ValueError: the budgets do not increase from 0.
    """
    x = _budgets(budgets)
    areas: FloatArray = trapezoid(np.asarray(accuracies, dtype=np.float64), x, axis=-1) / x[-1]
    return areas


def half_accuracy_budget(budgets: npt.NDArray[Any], accuracies: npt.NDArray[Any]) -> float:
    """The smallest budget at which half of the clean accuracy is left, in the unit of `budgets`.

    The curve is read linearly between its points, and at its first crossing where it is not
    monotone.

    >>> half_accuracy_budget(np.array([0, 1, 2, 4]), np.array([0.8, 0.7, 0.5, 0.1]))
    2.5
    >>> half_accuracy_budget(np.array([0, 1, 2]), np.array([0.8, 0.7, 0.5]))
    inf

    Args:
        budgets: increasing from 0, which is the clean cell, [K] with K >= 2.
        accuracies: mean accuracy at each budget, [K].

    Returns:
        Infinite where the largest budget tried leaves more than half.

    Raises:
        ValueError: the budgets do not increase from 0, or the clean accuracy is 0.
    """
    x, y = _budgets(budgets), np.asarray(accuracies, dtype=np.float64)
    if y[0] <= 0:
        raise ValueError(f"expected a clean accuracy above 0, got {y[0]:g}; it has no half")
    fallen = np.flatnonzero(y <= y[0] / 2)
    if not fallen.size:
        return math.inf
    k = int(fallen[0])
    share = (y[k - 1] - y[0] / 2) / (y[k - 1] - y[k])
    return float(x[k - 1] + share * (x[k] - x[k - 1]))


def median_radius(radii: npt.NDArray[Any], clean_correct: npt.NDArray[Any]) -> float:
    """The median size of the smallest perturbation that makes a query wrong (Brendel et al. 2018).

    A query that is wrong when clean needs none: its radius is 0. One that the attack never
    fooled has none: pass infinity. An attack only bounds the true radius from above.

    >>> median_radius(np.array([[0.2, 0.1, np.inf]]), np.array([[True, True, True]]))
    0.2
    >>> median_radius(np.array([[0.2, 0.1, np.inf]]), np.array([[True, False, False]]))
    0.0

    Args:
        radii: norm of the smallest adversarial perturbation found of each query, any shape.
        clean_correct: whether each query is right when clean, bool, the same shape.

    Returns:
        Infinite where more than half of the queries were never fooled.

    Raises:
        ValueError: there is no query.
    """
    sizes = np.where(clean_correct, np.asarray(radii, dtype=np.float64), 0.0)
    if not sizes.size:
        raise ValueError("expected at least one query, got none; there is no median")
    return float(np.median(sizes))


def _budgets(budgets: npt.NDArray[Any]) -> FloatArray:
    x = np.asarray(budgets, dtype=np.float64)
    if x.size < 2 or x[0] != 0 or (np.diff(x) <= 0).any():
        raise ValueError(
            f"expected at least two budgets that increase from 0, got {x.tolist()}; put the clean "
            "cell first and sort the others"
        )
    return x
