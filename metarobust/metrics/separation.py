"""How well a score separates right answers from wrong ones, or known classes from unknown."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import rankdata

FloatArray = npt.NDArray[np.float64]


def energy(logits: npt.NDArray[Any], temperature: float = 1.0) -> FloatArray:
    """The negative free energy T log sum_k exp(z_k / T), higher for known classes.

    Liu et al. 2020, with the sign turned.

    >>> energy(np.array([0.0, np.log(3.0)])).round(3).item()
    1.386

    Args:
        logits: [..., N].
        temperature: T, above 0.

    Returns:
        Float64 [...].
    """
    scores = np.asarray(logits, dtype=np.float64) / temperature
    free: FloatArray = temperature * logsumexp(scores, axis=-1)
    return free


def auroc(positive: npt.NDArray[Any], negative: npt.NDArray[Any]) -> float:
    """The chance that a positive scores higher than a negative, ties counting half, in [0, 1].

    The area under the ROC curve (Hanley & McNeil 1982), from the rank sum of Mann & Whitney 1947.
    With in-episode queries for positives and queries of distractor classes for negatives, it is
    the OOD AUROC of the score.

    >>> auroc(np.array([0.9, 0.6, 0.4]), np.array([0.5, 0.4]))
    0.75

    Args:
        positive: scores, any shape, at least one.
        negative: scores, any shape, at least one.

    Raises:
        ValueError: one of the two is empty.
    """
    high, low = _both(positive, negative)
    ranks = rankdata(np.concatenate([high, low]))[: high.size]
    return float((ranks.mean() - (high.size + 1) / 2) / low.size)


def failure_auroc(scores: npt.NDArray[Any], correct: npt.NDArray[Any]) -> float:
    """AUROC of right against wrong answers: 1/2 where the confidence knows nothing.

    Pool the episodes for the headline (Hendrycks & Gimpel 2017).

    >>> failure_auroc(np.array([0.9, 0.6, 0.7]), np.array([True, True, False]))
    0.5

    Args:
        scores: confidence of each answer, any shape.
        correct: whether it is right, the same shape.

    Raises:
        ValueError: all answers are right, or all wrong.
    """
    right = np.ravel(correct).astype(bool)
    return auroc(np.ravel(scores)[right], np.ravel(scores)[~right])


def episode_failure_auroc(scores: npt.NDArray[Any], correct: npt.NDArray[Any]) -> FloatArray:
    """The failure AUROC within each episode, where all answers come from one adapted learner.

    >>> episode_failure_auroc(np.array([[0.9, 0.4], [0.9, 0.4]]), np.array([[1, 0], [1, 1]]))
    array([ 1., nan])

    Args:
        scores: confidence of each answer, [E, Q].
        correct: whether it is right, [E, Q].

    Returns:
        Float64 [E], NaN for an episode that is all right or all wrong. Report how many are valid
        beside their mean: under a strong threat, or with none, few are.
    """
    right = np.asarray(correct, dtype=bool)
    mixed = right.any(axis=1) & ~right.all(axis=1)
    areas = np.full(len(right), np.nan)
    areas[mixed] = [failure_auroc(s, a) for s, a in zip(scores[mixed], right[mixed], strict=True)]
    return areas


def false_positive_rate(
    known: npt.NDArray[Any], unknown: npt.NDArray[Any], recall: float = 0.95
) -> float:
    """FPR95: the share of unknown classes accepted where 95 % of the known are (Liang et al. 2018).

    The threshold is the highest at which at least `recall` of the known score no less.

    >>> false_positive_rate(np.array([0.9, 0.8, 0.6, 0.3]), np.array([0.7, 0.5]), recall=0.75)
    0.5

    Args:
        known: scores of in-episode queries, higher is more familiar, any shape, at least one.
        unknown: scores of queries of distractor classes, any shape, at least one.
        recall: the share of known queries to accept, in (0, 1].

    Raises:
        ValueError: one of the two is empty.
    """
    high, low = _both(known, unknown)
    threshold = np.sort(high)[::-1][math.ceil(round(recall * high.size, 9)) - 1]
    return float((low >= threshold).mean())


def reweighted_false_positive_rate(
    known: npt.NDArray[Any],
    unknown: npt.NDArray[Any],
    weights: npt.NDArray[np.int64],
    recall: float = 0.95,
) -> FloatArray:
    """`false_positive_rate` of the queries pooled, episode e taken weights[r, e] times.

    Both kinds are sorted once, for all resamples of a bootstrap.

    >>> known, unknown = np.array([[0.9, 0.8], [0.6, 0.3]]), np.array([[0.7], [0.5]])
    >>> reweighted_false_positive_rate(known, unknown, np.array([[1, 1], [2, 0]]), recall=0.75)
    array([0.5, 0. ])

    Args:
        known: scores of in-episode queries, higher is more familiar, [E, Q].
        unknown: scores of queries of distractor classes, [E, D].
        weights: how often each episode counts, [R, E]; every row has a positive sum.
        recall: the share of known queries to accept, in (0, 1].

    Returns:
        Float64 [R].
    """
    high, low = (np.argsort(-np.ravel(s), kind="stable") for s in (known, unknown))
    accepted = weights[:, high // np.shape(known)[1]].cumsum(axis=1)
    refused = weights[:, low // np.shape(unknown)[1]].cumsum(axis=1)
    needed = np.ceil(np.round(recall * accepted[:, -1], 9))
    last = (accepted < needed[:, None]).sum(axis=1)
    above = np.searchsorted(-np.ravel(unknown)[low], -np.ravel(known)[high][last], side="right")
    padded = np.pad(refused, ((0, 0), (1, 0)))
    rates: FloatArray = np.take_along_axis(padded, above[:, None], axis=1)[:, 0] / refused[:, -1]
    return rates


def _both(
    positive: npt.NDArray[Any], negative: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    high, low = np.ravel(positive), np.ravel(negative)
    if not high.size or not low.size:
        raise ValueError(
            f"expected scores of both kinds, got {high.size} positive and {low.size} negative; "
            "nothing can be separated"
        )
    return high, low
