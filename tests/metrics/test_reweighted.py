"""Selective measures under weights are the plain ones on episodes that are repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.metrics import reweighted as module
from metarobust.metrics.reweighted import reweighted
from metarobust.metrics.selective import augrc, aurc, risk_coverage
from metarobust.metrics.separation import failure_auroc


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 200))
def test_weights_are_repetitions(seed: int, ties: bool, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    scores, correct = rng.normal(size=(6, 5)), rng.random((6, 5)) < 0.6
    scores = scores.round(0) if ties else scores
    weights = rng.multinomial(6, np.full(6, 1 / 6), size=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        found = reweighted(scores, correct, weights)
    for row, weight in enumerate(weights):
        again = np.repeat(np.arange(6), weight)
        curve = risk_coverage(scores[again], correct[again])
        assert found.aurc[row] == pytest.approx(aurc(curve))
        assert found.augrc[row] == pytest.approx(augrc(curve))
        right = correct[again]
        if right.all() or not right.any():
            assert np.isnan(found.auroc[row])
        else:
            assert found.auroc[row] == pytest.approx(failure_auroc(scores[again], right))


def test_a_perfect_order_and_its_reverse() -> None:
    # One error last of four: risks 0, 0, 0, 1/4. Error first: 1, 1/2, 1/3, 1/4.
    scores, ones = np.array([[4.0, 3.0, 2.0, 1.0]]), np.ones((1, 1), dtype=np.int64)
    best = reweighted(scores, np.array([[True, True, True, False]]), ones)
    worst = reweighted(scores, np.array([[False, True, True, True]]), ones)
    assert (best.auroc[0], worst.auroc[0]) == (1.0, 0.0)
    assert best.aurc[0] == pytest.approx(1 / 16)
    assert worst.aurc[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
