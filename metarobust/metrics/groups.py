"""Scores class by class, or group by group: the worst of them, the gap, the largest drop."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """One group.

    Attributes:
        name: the class id or the name of the group.
        value: its score.
        count: how many queries the score rests on.
    """

    name: Any
    value: float
    count: int


@dataclass(frozen=True)
class ByGroup:
    """One score for each group, in order of name.

    Attributes:
        names: class ids or names, [G].
        value: the score of each, float64 [G].
        count: how many queries each rests on, int64 [G].
    """

    names: npt.NDArray[Any]
    value: FloatArray
    count: npt.NDArray[np.int64]

    @property
    def lowest(self) -> Group:
        """The group of the lowest score: the worst class, where the score is an accuracy."""
        return self._at(int(self.value.argmin()))

    @property
    def highest(self) -> Group:
        """The group of the highest score: the worst hit, where the score is a drop."""
        return self._at(int(self.value.argmax()))

    @property
    def gap(self) -> float:
        """The highest score less the lowest, at least 0."""
        return float(np.ptp(self.value))

    @property
    def average(self) -> float:
        """The unweighted mean over groups, in which a rare group counts as much as a common one."""
        return float(self.value.mean())

    def _at(self, place: int) -> Group:
        return Group(self.names[place].item(), float(self.value[place]), int(self.count[place]))


class EpisodeSums(NamedTuple):
    """The sums of each group in each episode, from which intervals by episode are made.

    Attributes:
        names: class ids or names, [G].
        sums: of the scores, float64 [E, G].
        counts: how many queries that is, int64 [E, G].
    """

    names: npt.NDArray[Any]
    sums: FloatArray
    counts: npt.NDArray[np.int64]


def query_classes(class_ids: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The global class of each query; labels 0 to N - 1 mean other classes in other episodes.

    >>> query_classes(np.array([[7, 3], [3, 9]]), np.array([[0, 0, 1], [1, 0, 1]]))
    array([[7, 7, 3],
           [9, 3, 9]])

    Args:
        class_ids: the global class behind each label of each episode, int64 [E, N].
        labels: int64 [E, Q] in [0, N).

    Returns:
        Int64 [E, Q].
    """
    chosen: npt.NDArray[np.int64] = np.take_along_axis(class_ids, labels, axis=-1)
    return chosen


def mean_by_group(values: npt.NDArray[Any], groups: npt.NDArray[Any]) -> ByGroup:
    """The mean of any per-query score within each group, all episodes pooled.

    With correctness it is the accuracy of each class; with the drop in correctness under a threat,
    `clean - attacked`, it is what the threat takes from each. A group may be a class, an alphabet,
    a demographic attribute: the gap is the accuracy difference of fairness audits (Buolamwini &
    Gebru 2018), its lowest the worst-group accuracy (Sagawa et al. 2020).

    >>> correct = np.array([[True, True, False], [True, False, False]])
    >>> found = mean_by_group(correct, np.array([[7, 7, 3], [9, 3, 9]]))
    >>> found.names, found.value, found.count
    (array([3, 7, 9]), array([0. , 1. , 0.5]), array([2, 2, 2]))
    >>> found.lowest, found.gap
    (Group(name=3, value=0.0, count=2), 1.0)

    Args:
        values: a score of each query, any shape, at least one.
        groups: the class id or name of each query's group, the same shape.

    Raises:
        ValueError: there is no query.
    """
    names, place, count = np.unique(np.ravel(groups), return_inverse=True, return_counts=True)
    if not names.size:
        raise ValueError("expected at least one query, got none; there is no group to score")
    scores = np.ravel(np.asarray(values, dtype=np.float64))
    return ByGroup(names, np.bincount(place, weights=scores) / count, count)


def episode_sums(values: npt.NDArray[Any], groups: npt.NDArray[Any]) -> EpisodeSums:
    """The sum of a per-query score and the number of queries, by episode and group.

    >>> correct = np.array([[True, True, False], [True, False, False]])
    >>> found = episode_sums(correct, np.array([[7, 7, 3], [9, 3, 9]]))
    >>> found.names, found.sums.tolist(), found.counts.tolist()
    (array([3, 7, 9]), [[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]], [[1, 2, 0], [1, 0, 2]])

    Args:
        values: a score of each query, [E, Q].
        groups: the class id or name of each query's group, [E, Q].
    """
    names, place = np.unique(groups, return_inverse=True)
    column = place.reshape(np.shape(groups))
    row = np.broadcast_to(np.arange(len(column))[:, None], column.shape)
    sums = np.zeros((len(column), names.size))
    counts = np.zeros((len(column), names.size), dtype=np.int64)
    np.add.at(sums, (row, column), values)
    np.add.at(counts, (row, column), 1)
    return EpisodeSums(names, sums, counts)
