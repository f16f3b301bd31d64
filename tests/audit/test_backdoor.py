"""The scores of a backdoor, counted by hand."""

import numpy as np
import pytest

from metarobust.audit.backdoor import BACKDOOR, backdoor_scores
from metarobust.audit.evidence import CellEvidence
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import t_interval

ACCURACY = Estimate(0.75, 0.7, 0.8, method="t")


def cell(**arrays):
    given = {"labels": np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])}
    return CellEvidence("k", {}, 3, {**given, **{k: np.array(v) for k, v in arrays.items()}})


def test_success_counts_the_queries_of_other_classes_alone():
    found = backdoor_scores(
        cell(
            backdoor_target=[1, 0, 0],
            # Of the queries labelled otherwise: 2 of 2, 1 of 2, 0 of 2 are led to the target.
            backdoor_prediction=[[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]],
            trigger_prediction=[[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]],
        ),
        ACCURACY,
    )
    assert found["attack_success"] == t_interval(np.array([1.0, 0.5, 0.0]), bounds=(0, 1))
    assert found["trigger_alone"].value == pytest.approx(0.5 / 3)
    assert found["benign_accuracy"] is ACCURACY


def test_without_a_backdoor_there_is_a_reason():
    found = backdoor_scores(cell(), ACCURACY)
    assert tuple(found) == BACKDOOR
    assert {(e.value, e.reason) for e in found.values()} == {
        (None, "this threat plants no backdoor")
    }
