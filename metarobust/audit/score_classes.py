"""Which classes an accuracy speaks of: new ones, and groups such as alphabets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import Measure, ScoreFamily, ScoringContext, hits, missing
from metarobust.metrics.accuracy import accuracy
from metarobust.metrics.groups import EpisodeSums, episode_sums, query_classes
from metarobust.stats.estimate import Estimate
from metarobust.stats.extremes import group_extremes
from metarobust.stats.intervals import ratio_interval
from metarobust.stats.jackknife import class_jackknife

NO_GROUPS = "the data set's classes have no groups"
ONE_GROUP = "all audited classes are of one group"
UNKNOWN_GROUPS = "this run did not record the groups of its classes; audit again to have them"

NEW_CLASSES = Measure(
    "accuracy_new_classes",
    "Accuracy, new classes",
    "share",
    True,
    "The accuracy with an interval that also speaks of classes never drawn (class jackknife).",
)
WORST_GROUP = Measure(
    "worst_group_accuracy",
    "Worst group",
    "share",
    True,
    "Accuracy on the group of classes, such as an alphabet, that is named correctly least often.",
)
GROUP_GAP = Measure(
    "group_gap",
    "Group gap",
    "share",
    False,
    "Accuracy on the best group of classes less accuracy on the worst.",
)


@dataclass(frozen=True)
class GroupAccuracy:
    """The accuracy on one group of classes.

    Attributes:
        name: of the group.
        accuracy: its share of correct answers, with an interval by episode.
        queries: how many queries it rests on.
    """

    name: str
    accuracy: Estimate
    queries: int


def group_accuracies(cell: CellEvidence) -> tuple[GroupAccuracy, ...]:
    """The accuracy on each group, in order of name.

    Raises:
        ValueError: there are not two groups to compare; the message says why.
    """
    found = _by_group(cell)
    return tuple(
        GroupAccuracy(
            str(name),
            ratio_interval(sums, counts, reference="the queries of the group", bounds=(0, 1)),
            int(counts.sum()),
        )
        for name, sums, counts in zip(found.names, found.sums.T, found.counts.T, strict=True)
    )


def _by_group(cell: CellEvidence) -> EpisodeSums:
    groups: dict[str, list[int]] | None = cell.description.get("dataset", {}).get("groups")
    if not cell.episodes:
        raise ValueError("no episode was evaluated")
    if not groups:
        raise ValueError(UNKNOWN_GROUPS if groups is None else NO_GROUPS)
    if len(groups) < 2:
        raise ValueError(ONE_GROUP)
    classes = query_classes(cell.arrays["class_ids"], cell.arrays["labels"])
    names: npt.NDArray[Any] = np.empty(classes.max() + 1, dtype=object)
    for name, members in groups.items():
        names[[c for c in members if c < names.size]] = name
    return episode_sums(hits(cell), names[classes].astype(str))


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    new = class_jackknife(accuracy(hits(cell)), cell.arrays["class_ids"], bounds=(0, 1))
    try:
        found = _by_group(cell)
    except ValueError as problem:
        return {NEW_CLASSES.key: new, **missing((WORST_GROUP, GROUP_GAP), str(problem))}
    extremes = group_extremes(found.sums, found.counts, rng=context.rng)
    return {
        NEW_CLASSES.key: new,
        WORST_GROUP.key: extremes.lowest,
        GROUP_GAP.key: extremes.gap,
    }


CLASSES_FAMILY = ScoreFamily((NEW_CLASSES, WORST_GROUP, GROUP_GAP), _score)
