"""Scores of distractors, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import ScoringContext
from metarobust.audit.score_ood import MEASURES, OOD_FAMILY
from metarobust.metrics.calibration import probabilities
from metarobust.metrics.separation import false_positive_rate

EPISODES, QUERIES, STRANGERS, WAYS = 30, 10, 4, 3


def cell(*, norm_mode="running", **arrays):
    rng = np.random.default_rng(5)
    labels = rng.integers(WAYS, size=(EPISODES, QUERIES))
    found = {
        "logits": rng.normal(size=(EPISODES, QUERIES, WAYS)) + 2 * np.eye(WAYS)[labels],
        "labels": labels,
        "number": np.arange(EPISODES),
        "distractor_logits": rng.normal(size=(EPISODES, STRANGERS, WAYS)),
    }
    found = {name: array for name, array in {**found, **arrays}.items() if array is not None}
    return CellEvidence("k", {"learner": {"norm_mode": norm_mode}}, EPISODES, found)


def score(evidence):
    return OOD_FAMILY.score(evidence, None, ScoringContext())


def test_they_are_those_of_sklearn():
    evidence = cell()
    own, strange = (evidence.arrays[name] for name in ("logits", "distractor_logits"))
    found = score(evidence)
    assert set(found) == {measure.key for measure in MEASURES}
    for suffix, familiarity in (
        ("", lambda z: probabilities(z).max(-1)),
        ("_energy", lambda z: np.log(np.exp(z).sum(-1))),
    ):
        known, unknown = familiarity(own).ravel(), familiarity(strange).ravel()
        kinds = np.repeat([1, 0], [known.size, unknown.size])
        area, rate = found[f"ood_auroc{suffix}"], found[f"fpr95{suffix}"]
        assert area.value == pytest.approx(roc_auc_score(kinds, np.r_[known, unknown]))
        assert rate.value == pytest.approx(false_positive_rate(known, unknown))
        assert 0 <= area.low < area.value < area.high <= 1
        assert 0 <= rate.low < rate.value < rate.high <= 1
        assert "by episode" in area.method


def test_distractors_like_the_queries_cannot_be_told_apart():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(200, 10, WAYS))
    evidence = cell(logits=logits[:100], distractor_logits=logits[100:])
    found = score(evidence)
    assert found["ood_auroc"].low < 0.5 < found["ood_auroc"].high
    assert found["fpr95"].low < 0.95 < found["fpr95"].high


def test_interval_covers_over_many_audits():
    """Known and unknown queries one standard deviation apart: AUROC = Phi(1 / sqrt 2) = 0.760."""
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        margins = rng.normal(size=(40, 15)) + 5
        margins[:, 10:] -= 1
        logits = np.stack([margins, np.zeros_like(margins)], axis=-1)
        evidence = cell(logits=logits[:, :10], distractor_logits=logits[:, 10:])
        found = score(evidence)["ood_auroc"]
        inside += found.low <= 0.7602 <= found.high
    assert inside >= 33  # a coverage of 0.95 falls below in 1 of 1,000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"distractor_logits": None}, "set aspects.distractors"),
        ({"distractor_logits": None, "norm_mode": "batch"}, "depend on its neighbours"),
        ({"distractor_logits": np.full((EPISODES, 2, WAYS), np.nan)}, "not finite"),
    ],
)
def test_what_is_not_there_says_why(changes, reason):
    for estimate in score(cell(**changes)).values():
        assert estimate.value is None
        assert reason in estimate.reason
