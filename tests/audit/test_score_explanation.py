"""Scores of explanations: means over compared queries, and reasons where there are none."""

import numpy as np
import pytest
from scipy.stats import t as student

from metarobust.audit.evidence import NOT_COMPARED, CellEvidence
from metarobust.audit.measure import ScoringContext
from metarobust.audit.score_explanation import EXPLANATION_FAMILY

SKIPPED = NOT_COMPARED


def score(rank=None, surface="support", **learner):
    arrays = {"number": np.arange(3), "labels": np.zeros((3, 2), int)}
    if rank is not None:
        overlap = np.where(np.array(rank) == SKIPPED, SKIPPED, 0.5)
        arrays |= {"explanation_rank": np.array(rank), "explanation_overlap": overlap}
    description = {"learner": learner, "threat": {"surface": surface}}
    cell = CellEvidence("k", description, 3, arrays)
    return EXPLANATION_FAMILY.score(cell, None, ScoringContext())


def test_a_query_counts_where_it_kept_its_prediction():
    found = score([[0.8, 0.6], [SKIPPED, 0.4], [SKIPPED, SKIPPED]])
    means = np.array([0.7, 0.4])
    half = student.ppf(0.975, 1) * means.std(ddof=1) / np.sqrt(2)
    rank = found["explanation_rank"]
    assert rank.value == pytest.approx(0.55)
    assert (rank.low, rank.high) == (max(0.55 - half, -1), min(0.55 + half, 1))
    assert rank.method.endswith("50.0% of queries skipped")
    assert found["explanation_overlap"].value == pytest.approx(0.5)
    assert found["explanation_kept"].value == pytest.approx(0.5)


def test_all_changed():
    found = score([[SKIPPED, SKIPPED]] * 3)
    assert found["explanation_kept"].value == 0
    assert "no query kept its prediction" in found["explanation_rank"].reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "set aspects.explanation"),
        ({"surface": "query"}, "only threats to the support set"),
        ({"surface": None}, "only threats to the support set"),
        ({"norm_mode": "batch"}, "no explanation of its own"),
        ({"differentiable": False}, "cannot be differentiated"),
    ],
)
def test_what_is_not_there_says_why(facts, reason):
    for estimate in score(**facts).values():
        assert estimate.value is None
        assert reason in estimate.reason
