"""Calibration of every class's probability, not only of the predicted one's."""

from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.metrics.calibration import ece, reliability_bins
from metarobust.metrics.groups import ByGroup

FloatArray = npt.NDArray[np.float64]


def marginal_ece(
    probabilities: npt.NDArray[Any], labels: npt.NDArray[Any], edges: FloatArray
) -> float:
    """Binned calibration error of all N probabilities of all queries pooled, in [0, 1].

    sum_b n_b/n |mean 1[k = y] - mean p_k| over the n = E * Q * N pairs of a query and a class
    (the marginal calibration error of Kumar, Liang & Ma 2019, in l1). The labels of an episode
    are drawn anew each time, so a separate binning per label 0 to N - 1 would mean nothing; by
    global class, see `classwise_ece`. Of N probabilities most are near 0, so it is far smaller
    than the ECE of the predicted class: compare it with itself only.

    >>> p = np.array([[[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]]])
    >>> round(marginal_ece(p, np.array([[0, 1, 0]]), np.array([0.5])), 3)
    0.133

    Args:
        probabilities: [..., N], each summing to 1.
        labels: int64 [...] in [0, N).
        edges: inner edges of the bins, increasing.
    """
    return ece(reliability_bins(probabilities, _truth(probabilities, labels), edges))


def classwise_ece(
    probabilities: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    class_ids: npt.NDArray[Any],
    edges: FloatArray,
) -> ByGroup:
    """The calibration error of each global class's probability, each in [0, 1].

    For class k, over the n_k queries of the episodes in which it takes part:
    sum_b n_bk/n_k |mean 1[k = y] - mean p_k|. Its `average` is the classwise ECE of Kull et
    al. 2019. Like any ECE it is biased upwards when queries are few, here those of one class.

    >>> p = np.array([[[0.9, 0.1], [0.7, 0.3]], [[0.6, 0.4], [0.9, 0.1]]])
    >>> labels, class_ids = np.array([[0, 1], [0, 0]]), np.array([[7, 3], [3, 9]])
    >>> found = classwise_ece(p, labels, class_ids, np.array([0.5]))
    >>> found.names, found.value.round(3), found.count
    (array([3, 7, 9]), array([0.275, 0.3  , 0.25 ]), array([4, 2, 2]))

    Args:
        probabilities: [E, Q, N], each summing to 1.
        labels: int64 [E, Q] in [0, N).
        class_ids: the global class behind each label of each episode, int64 [E, N].
        edges: inner edges of the bins, increasing, the same for every class.
    """
    truth = _truth(probabilities, labels)
    owner = np.broadcast_to(np.asarray(class_ids)[:, None, :], truth.shape)
    names, count = np.unique(owner, return_counts=True)
    errors = [
        ece(reliability_bins(np.asarray(probabilities)[owner == k], truth[owner == k], edges))
        for k in names
    ]
    return ByGroup(names, np.array(errors), count)


def _truth(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    ways = np.asarray(probabilities).shape[-1]
    truth: npt.NDArray[np.bool_] = np.asarray(labels)[..., None] == np.arange(ways)
    return truth
