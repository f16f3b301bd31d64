"""Ranks of learners over many conditions, and which of them cannot be told apart."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import f as fisher
from scipy.stats import friedmanchisquare, rankdata, studentized_range, wilcoxon

from metarobust.stats.multiple import holm

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ROUNDING = 1e-9


def mean_ranks(scores: npt.NDArray[Any]) -> FloatArray:
    """The mean rank of each learner over conditions, 1 for the best; ties share their mean rank.

    The conditions are the sample: data sets, or threats. Episodes of one condition are not, for
    they repeat it, and any difference becomes significant.

    >>> mean_ranks(np.array([[0.9, 0.8, 0.7], [0.8, 0.8, 0.6]]))
    array([1.25, 1.75, 3.  ])

    Args:
        scores: higher is better, [C, M] for C conditions and M learners.

    Returns:
        Float64 [M] in [1, M].
    """
    ranks: FloatArray = rankdata(-np.asarray(scores, dtype=np.float64), axis=1).mean(axis=0)
    return ranks


def friedman_p_value(scores: npt.NDArray[Any]) -> float:
    """The p-value that no learner ranks better than another over conditions (Friedman 1937).

    In the F form of Iman & Davenport 1980, F = (C-1) chi2 / (C (M-1) - chi2) with M - 1 and
    (M-1)(C-1) degrees of freedom, chi2 being corrected for ties. Compare pairs only where it
    rejects (Demšar 2006, section 3.2.2).

    >>> round(friedman_p_value(np.array([[3, 2, 1], [3, 1, 2], [3, 2, 1], [2, 3, 1]])), 3)
    0.084

    Args:
        scores: [C, M] with M >= 3 and C >= 2.

    Returns:
        1 where all learners tie in every condition; never below (1/M!)^(C-1), the chance that all
        conditions agree on one order.
    """
    x = np.asarray(scores, dtype=np.float64)
    conditions, learners = x.shape
    if (np.ptp(x, axis=1) == 0).all():
        return 1.0
    chi2 = float(friedmanchisquare(*x.T).statistic)
    rest = max(conditions * (learners - 1) - chi2, ROUNDING)
    statistic = (conditions - 1) * chi2 / rest
    p_value = float(fisher.sf(statistic, learners - 1, (learners - 1) * (conditions - 1)))
    return max(p_value, 1.0 / float(math.factorial(learners) ** (conditions - 1)))


def critical_difference(learners: int, conditions: int, level: float = 0.95) -> float:
    """Nemenyi's critical difference of mean ranks, q sqrt(M (M+1) / (6 C)).

    Nemenyi 1963; Demšar 2006, section 3.2.2: q is the upper quantile of the studentised range with
    infinite degrees of freedom over sqrt(2). It allows for all pairs at once.

    >>> round(critical_difference(4, 14), 2)
    1.25

    Args:
        learners: M, at least 2.
        conditions: C, at least 1.
        level: 1 less the chance of any false difference.
    """
    q = float(studentized_range.ppf(level, learners, math.inf)) / math.sqrt(2)
    return q * math.sqrt(learners * (learners + 1) / (6 * conditions))


def wilcoxon_holm(scores: npt.NDArray[Any]) -> FloatArray:
    """Pairwise signed-rank tests over conditions, adjusted by Holm for all pairs.

    Wilcoxon 1945; Benavoli, Corani & Mangili 2016 prefer it to Nemenyi's test, whose verdict on
    two learners depends on which others are in the table. Under 6 conditions no pair can reach
    0.05.

    >>> wilcoxon_holm(np.outer(np.arange(1, 9), [0.3, 0.2, 0.1])).round(4)
    array([[1.    , 0.0234, 0.0234],
           [0.0234, 1.    , 0.0234],
           [0.0234, 0.0234, 1.    ]])

    Args:
        scores: [C, M].

    Returns:
        Adjusted p-values, symmetric, float64 [M, M] with 1 on the diagonal.
    """
    x = np.asarray(scores, dtype=np.float64)
    adjusted = np.ones((x.shape[1], x.shape[1]))
    pairs = list(combinations(range(x.shape[1]), 2))
    p_values = np.array([_signed_rank(x[:, i] - x[:, j]) for i, j in pairs])
    for (i, j), p in zip(pairs, holm(p_values), strict=True):
        adjusted[i, j] = adjusted[j, i] = p
    return adjusted


def indistinct_groups(ranks: npt.NDArray[Any], distinct: BoolArray) -> tuple[tuple[int, ...], ...]:
    """The bars of a critical-difference diagram: neighbours in rank of whom no two are distinct.

    Only maximal runs of two or more. Under Nemenyi, `distinct` is a difference of mean ranks of at
    least the critical one; under Wilcoxon and Holm, an adjusted p-value below 1 - level, and two
    like learners with a distinct one between them are then in no common run.

    >>> ranks = np.array([1.0, 3.2, 1.5, 2.4])
    >>> indistinct_groups(ranks, np.abs(ranks[:, None] - ranks) >= 1.0)
    ((0, 2), (2, 3), (3, 1))

    Args:
        ranks: mean ranks, [M].
        distinct: whether two learners differ, symmetric, bool [M, M].

    Returns:
        Indices of learners in order of rank, one tuple per bar.
    """
    order = np.argsort(ranks, kind="stable")
    runs: list[tuple[int, ...]] = []
    reached = 0
    for start in range(order.size):
        end = start + 1
        while end < order.size and not distinct[order[end], order[start:end]].any():
            end += 1
        if end - start > 1 and end > reached:
            runs.append(tuple(order[start:end].tolist()))
            reached = end
    return tuple(runs)


def _signed_rank(differences: FloatArray) -> float:
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0
