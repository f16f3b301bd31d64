"""Accuracy on groups of classes and over new classes, from evidence with a known answer."""

import numpy as np
import pytest

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import ScoringContext
from metarobust.audit.score_classes import CLASSES_FAMILY, group_accuracies

GROUPS = {"Latin": [0, 1, 2], "Greek": [10, 11, 12]}


def cell(groups=GROUPS, episodes=60, right=None, dataset=True):
    """Episodes of two Latin and two Greek classes; `right` says which queries are, [E, 4]."""
    rng = np.random.default_rng(2)
    latin, greek = (np.argsort(rng.random((episodes, 3)))[:, :2] for _ in range(2))
    labels = np.tile(np.arange(4), (episodes, 1))
    right = rng.random((episodes, 4)) < [0.9, 0.9, 0.5, 0.5] if right is None else right
    said = np.where(right, labels, (labels + 1) % 4)
    arrays = {
        "logits": np.eye(4)[said],
        "labels": labels,
        "class_ids": np.hstack([latin, 10 + greek]),
        "number": np.arange(episodes),
    }
    about = {"dataset": {"name": "x"} if groups is None else {"groups": groups}} if dataset else {}
    return CellEvidence("k", about, episodes, arrays)


def score(evidence):
    return CLASSES_FAMILY.score(evidence, None, ScoringContext())


def test_each_group_has_its_own_share_of_right_answers():
    evidence = cell()
    right = evidence.correct
    latin, greek = right[:, :2].mean(), right[:, 2:].mean()
    found = {group.name: group for group in group_accuracies(evidence)}
    assert list(found) == ["Greek", "Latin"]
    assert found["Latin"].accuracy.value == pytest.approx(latin)
    assert found["Greek"].accuracy.value == pytest.approx(greek)
    assert found["Greek"].queries == 120
    assert found["Latin"].accuracy.low < 0.9 < found["Latin"].accuracy.high
    scores = score(evidence)
    assert scores["worst_group_accuracy"].value == pytest.approx(greek)
    assert scores["group_gap"].value == pytest.approx(latin - greek)
    assert scores["group_gap"].low > 0.1, "the groups do differ"
    assert scores["accuracy_new_classes"].value == pytest.approx(right.mean())
    assert "class jackknife" in scores["accuracy_new_classes"].method


def test_new_classes_are_less_certain_than_these_where_classes_differ():
    rng = np.random.default_rng(0)
    hard = cell(episodes=200, right=rng.random((200, 4)) < [1.0, 1.0, 0.2, 0.2])
    wide = score(hard)["accuracy_new_classes"]
    assert wide.low is None or wide.high - wide.low > 0.05


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"groups": {}}, "no groups"),
        ({"groups": None}, "did not record"),
        ({"dataset": False}, "did not record"),
        ({"groups": {"all": [0, 1, 2, 10, 11, 12]}}, "of one group"),
    ],
)
def test_without_groups_it_says_why(changes, reason):
    evidence = cell(**changes)
    for name in ("worst_group_accuracy", "group_gap"):
        estimate = score(evidence)[name]
        assert estimate.value is None
        assert reason in estimate.reason
    with pytest.raises(ValueError, match=reason):
        group_accuracies(evidence)
