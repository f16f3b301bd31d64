"""What meta-val episodes say is fitted on their own halves, and comes back from JSON as it was."""

import json
import math

import numpy as np
import pytest

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.audit.recalibration import fit_recalibration, read_recalibration
from metarobust.audit.validation import measure_recalibration
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from tests.support.pattern_set import pattern_set


def episodes(count: int, queries: int = 25, ways: int = 3):
    rng = np.random.default_rng(0)
    labels = rng.integers(ways, size=(count, queries))
    return rng.normal(size=(count, queries, ways)) + 2 * np.eye(ways)[labels], labels


def test_the_two_halves_do_not_meet() -> None:
    logits, labels = episodes(20)
    found = fit_recalibration(logits, labels)
    odd = logits.copy()
    odd[1::2] = -odd[1::2]
    assert fit_recalibration(odd, labels).temperature == found.temperature
    assert fit_recalibration(odd, labels).thresholds != found.thresholds


def test_a_calibrated_learner_is_left_alone_and_its_sets_keep_their_promise() -> None:
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=(400, 25, 4))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = (rng.random((400, 25, 1)) > shares.cumsum(-1)).sum(-1)
    found = fit_recalibration(logits, labels)
    assert found.temperature == pytest.approx(1.0, abs=0.05)
    own = 1 - np.take_along_axis(shares, labels[..., None], -1)
    for coverage, threshold in found.thresholds.items():
        assert (own <= threshold).mean() == pytest.approx(coverage, abs=0.02)


def test_too_few_queries_promise_nothing_and_the_set_is_every_class() -> None:
    logits, labels = episodes(2, queries=16)
    found = fit_recalibration(logits, labels)
    assert math.isfinite(found.thresholds[0.9])
    assert found.thresholds[0.95] == math.inf
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert stored["thresholds"]["0.95"] is None
    again = read_recalibration({"recalibration": stored})
    assert again.thresholds[0.95] == math.inf
    assert again.temperature == pytest.approx(found.temperature, rel=1e-5)


def test_what_was_not_measured_says_why() -> None:
    with pytest.raises(ValueError, match="audit again"):
        read_recalibration({})
    with pytest.raises(ValueError, match="no meta-val classes"):
        read_recalibration({"recalibration": {"reason": "no meta-val classes"}})
    with pytest.raises(ValueError, match="not finite"):
        fit_recalibration(np.full((2, 3, 4), np.nan), np.zeros((2, 3), dtype=int))


def learner() -> Learner:
    return build_learner(LearnerSpec("centroid", "mlp", (1, 16, 16), {}, {"width": 8}))


def test_it_is_measured_on_meta_val_classes_and_repeats() -> None:
    data, protocol = pattern_set(classes=(6, 4, 6)), Protocol(3, 2, 2)
    found = measure_recalibration(learner(), data, protocol, 0)
    assert found == measure_recalibration(learner(), data, protocol, 0)
    assert found["reason"] == ""
    assert found["episodes"] == 40
    assert 0.05 <= found["temperature"] <= 20


@pytest.mark.parametrize(
    ("classes", "split", "reason"),
    [
        ((6, 0, 6), "test", "has no meta-val classes"),
        ((6, 2, 6), "test", "has no meta-val classes"),
        ((6, 4, 6), "val", "meta-val episodes themselves"),
    ],
)
def test_without_meta_val_classes_nothing_else_stands_in(classes, split, reason) -> None:
    data = pattern_set(classes=classes)
    found = measure_recalibration(learner(), data, Protocol(3, 2, 2, split=split), 0)
    assert reason in found["reason"]
    assert "temperature" not in found
