"""The scores of a backdoor, counted by hand."""

import numpy as np
import pytest

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import ScoringContext
from metarobust.audit.score_backdoor import BACKDOOR_FAMILY, NO_BACKDOOR
from metarobust.stats.intervals import t_interval


def scores(**arrays):
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    said = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]])  # 4, 3 and 4 of 4
    given = {"labels": labels, "logits": np.eye(2)[said], "number": np.arange(3)}
    evidence = CellEvidence("k", {}, 3, {**given, **{k: np.array(v) for k, v in arrays.items()}})
    return BACKDOOR_FAMILY.score(evidence, None, ScoringContext())


def test_success_counts_the_queries_of_other_classes_alone():
    found = scores(
        backdoor_target=[1, 0, 0],
        # Of the queries labelled otherwise: 2 of 2, 1 of 2, 0 of 2 are led to the target.
        backdoor_prediction=[[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]],
        trigger_prediction=[[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]],
    )
    assert found["attack_success"] == t_interval(np.array([1.0, 0.5, 0.0]), bounds=(0, 1))
    assert found["trigger_alone"].value == pytest.approx(0.5 / 3)
    assert found["benign_accuracy"].value == pytest.approx(11 / 12)


def test_without_a_backdoor_there_is_a_reason():
    assert {(e.value, e.reason) for e in scores().values()} == {(None, NO_BACKDOOR)}
