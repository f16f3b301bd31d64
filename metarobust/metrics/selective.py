"""Selective prediction: what is gained by answering only where the learner is confident."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve (El-Yaniv & Wiener 2010).

    Attributes:
        coverage: the share of queries answered, the most confident first: k/n, [n].
        risk: the share of errors among them, r_k, [n].
    """

    coverage: FloatArray
    risk: FloatArray


def log_odds(logits: npt.NDArray[Any]) -> FloatArray:
    """The log odds of the predicted class, log(c / (1 - c)): confidence that does not saturate.

    It orders queries as the confidence c does, but c is exactly 1 in float64 once the predicted
    logit leads by 37, and such ties would hide which of those answers is the surest.

    >>> log_odds(np.array([[0.0, np.log(3.0)], [0.0, 50.0]])).round(3)
    array([ 1.099, 50.   ])

    Args:
        logits: [..., N] with N >= 2.

    Returns:
        Float64 [...].
    """
    scores = np.asarray(logits, dtype=np.float64)
    top = scores.argmax(axis=-1)[..., None] == np.arange(scores.shape[-1])
    odds: FloatArray = scores.max(axis=-1) - logsumexp(np.where(top, -np.inf, scores), axis=-1)
    return odds


def risk_coverage(scores: npt.NDArray[Any], correct: npt.NDArray[Any]) -> RiskCoverage:
    """The risk of answering only the k most confident queries, for each k.

    Queries of equal score are in no order, so each carries the error rate of its group: the curve
    is then the mean over all orders. (With 40 % of confidences saturated at 1, the best and the
    worst order differ by 0.11 in AURC.)

    >>> curve = risk_coverage(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]))
    >>> curve.risk.round(3)
    array([0.   , 0.25 , 0.333, 0.5  ])

    Args:
        scores: higher is surer, any shape; n in all, at least one.
        correct: whether each answer is right, the same shape.
    """
    _, place, count = np.unique(-np.ravel(scores), return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=1.0 - np.ravel(correct))
    answered = np.arange(1, place.size + 1)
    return RiskCoverage(answered / place.size, np.repeat(wrong / count, count).cumsum() / answered)


def aurc(curve: RiskCoverage) -> float:
    """Area under the risk-coverage curve, 1/n sum_k r_k, in [0, 1] (Geifman et al. 2019).

    >>> curve = risk_coverage(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    >>> round(aurc(curve), 3)
    0.278
    """
    return float(curve.risk.mean())


def excess_aurc(curve: RiskCoverage) -> float:
    """AURC less that of a perfect order of the same answers, at least 0 (Geifman et al. 2019).

    With m errors among n answers the perfect order has 1/n sum_{k > n-m} (k - n + m) / k, which
    tends to e + (1 - e) ln(1 - e) at error rate e.

    >>> curve = risk_coverage(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    >>> round(excess_aurc(curve), 3)
    0.167
    """
    answers = curve.risk.size
    errors = round(float(curve.risk[-1]) * answers)
    late = np.arange(1, errors + 1)
    return aurc(curve) - float((late / (answers - errors + late)).sum()) / answers


def augrc(curve: RiskCoverage) -> float:
    """Area under the generalised risk-coverage curve, in [0, 1/2] (Traub et al. 2024).

    Its risk, (k/n) r_k, is the chance that a query is answered and the answer wrong, and the curve
    starts at 0; the trapezoid area is exactly (1 - AUROC) a (1 - a) + (1 - a)^2 / 2, with a the
    accuracy and AUROC that of failure detection.

    >>> curve = risk_coverage(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    >>> round(augrc(curve), 3)
    0.167
    """
    wrong = curve.coverage * curve.risk
    return float((wrong.sum() - wrong[-1] / 2) / wrong.size)
