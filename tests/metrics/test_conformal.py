import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from metarobust.metrics.conformal import (
    aps_scores,
    conformal_threshold,
    lac_scores,
    prediction_sets,
    set_coverage,
    set_size,
)
from metarobust.metrics.tail import cvar

rows = arrays(np.float64, (6, 5), elements=st.floats(-8, 8)).map(lambda z: softmax(z, axis=-1))


def episodes(rng: np.random.Generator, count: int, ways: int = 5, spread: float = 0.0):
    """Probabilities and labels of calibrated learners; `spread` of the episodes' log scale."""
    z = rng.normal(scale=2.0, size=(count, 15, ways))
    truth = softmax(z, axis=-1).cumsum(axis=-1)
    labels = (rng.random((count, 15, 1)) > truth).sum(axis=-1)
    return softmax(z * np.exp(rng.normal(scale=spread, size=(count, 1, 1))), axis=-1), labels


def test_sixteen_queries_cannot_promise_95_percent() -> None:
    # Fisch et al. 2021, 10-way with 16 calibration examples: coverage 1.00 at set size 10.00.
    p, y = episodes(np.random.default_rng(0), 50, ways=10)
    threshold = conformal_threshold(lac_scores(p).reshape(-1, 10)[:16], y.ravel()[:16], 0.95)
    assert threshold == math.inf
    sets = prediction_sets(lac_scores(p), threshold)
    assert (set_size(sets) == 10).all()
    assert (set_coverage(sets, y) == 1).all()


@pytest.mark.parametrize(("queries", "finite"), [(18, False), (19, True), (16, False)])
def test_nineteen_can(queries: int, finite: bool) -> None:
    scores = np.random.default_rng(1).random((queries, 5))
    threshold = conformal_threshold(scores, np.zeros(queries, np.int64), 0.95)
    assert math.isfinite(threshold) == finite
    if finite:
        assert threshold == scores[:, 0].max()


@pytest.mark.parametrize(
    ("promise", "covered", "printed"), [(0.9, 16, 0.94), (0.8, 14, 0.82), (0.6, 11, 0.65)]
)
def test_exact_coverage_with_sixteen(promise: float, covered: int, printed: float) -> None:
    # Of 17 exchangeable scores each is the new one with chance 1/17: exactly `covered` of the 17
    # are within the threshold of the other 16. Fisch et al. 2021 print the same coverages.
    scores = np.random.default_rng(2).permutation(17) / 17
    within = 0
    for new in range(17):
        others = np.delete(scores, new)[:, None]
        within += scores[new] <= conformal_threshold(others, np.zeros(16, np.int64), promise)
    assert within == covered
    assert round(within / 17, 2) == printed


def test_the_query_at_the_threshold_is_covered() -> None:
    p, y = episodes(np.random.default_rng(7), 2)
    scores = lac_scores(p)
    sets = prediction_sets(scores, conformal_threshold(scores, y, 0.8))
    assert set_coverage(sets, y).sum() * 15 == pytest.approx(25)  # rank ceil(31 * 0.8) of 30


@pytest.mark.parametrize("queries", [25, 99, 100, 1000])
@pytest.mark.parametrize("promise", [0.5, 0.57, 0.9])
def test_the_threshold_is_numpys_quantile(queries: int, promise: float) -> None:
    scores = np.random.default_rng(3).random((queries, 1))
    level = min((queries + 1) * promise / queries, 1.0)
    expected = np.quantile(scores, level - 1e-9, method="inverted_cdf")
    found = conformal_threshold(scores, np.zeros(queries, np.int64), promise)
    assert found == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("promise", [0.6, 0.8, 0.9])
def test_lac_sets_are_those_of_crepes(promise: float) -> None:
    crepes = pytest.importorskip("crepes")
    p, y = episodes(np.random.default_rng(4), 20)
    scores, labels = lac_scores(p).reshape(-1, 5), y.ravel()
    own = np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    # It keeps a label whose p-value is exactly 1 - promise, which is one step more than needed: 98
    # calibration queries have no such p-value.
    oracle = crepes.ConformalClassifier().fit(own[:98])
    expected = oracle.predict_set(scores[98:], confidence=promise, smoothing=False)
    threshold = conformal_threshold(scores[:98], labels[:98], promise)
    np.testing.assert_array_equal(prediction_sets(scores[98:], threshold), expected)


@pytest.mark.parametrize("score", [lac_scores, aps_scores])
@pytest.mark.parametrize("promise", [0.8, 0.9])
def test_the_promise_is_kept_over_episodes(score, promise: float) -> None:
    rng = np.random.default_rng(5)
    covered, sizes = [], []
    for _ in range(150):
        p, y = episodes(rng, 14)
        scores = score(p)
        threshold = conformal_threshold(scores[:6], y[:6], promise)
        sets = prediction_sets(scores[6:], threshold)
        covered.append(set_coverage(sets, y[6:]).mean())
        sizes.append(set_size(sets).mean())
    # At least the promise, exceeded by at most 1 / (n + 1), n = 90.
    error = 4 * np.std(covered) / np.sqrt(150)
    assert promise - error <= np.mean(covered) <= promise + 1 / 91 + error
    assert 1 < np.mean(sizes) < 5


def test_the_promise_says_nothing_of_one_episode() -> None:
    rng = np.random.default_rng(6)
    p, y = episodes(rng, 60, spread=0.5)
    threshold = conformal_threshold(lac_scores(p), y, 0.9)
    p, y = episodes(rng, 2000, spread=0.5)
    covered = set_coverage(prediction_sets(lac_scores(p), threshold), y)
    assert covered.mean() == pytest.approx(0.9, abs=0.025)
    assert cvar(covered) < 0.78


def test_aps_by_hand() -> None:
    np.testing.assert_allclose(aps_scores(np.array([0.1, 0.6, 0.3])), [1.0, 0.6, 0.9])
    np.testing.assert_allclose(aps_scores(np.full(4, 0.25)), 1.0)


@given(rows)
def test_aps_is_a_cumulative_sum_in_order_of_probability(p: np.ndarray) -> None:
    order = np.argsort(-p, axis=-1)
    masses = np.take_along_axis(p, order, axis=-1).cumsum(axis=-1)
    found = np.take_along_axis(aps_scores(p), order, axis=-1)
    ties = np.take_along_axis(p, order, axis=-1)
    for mass, score, value in zip(masses, found, ties, strict=True):
        last = np.searchsorted(-value, -value, side="right") - 1
        np.testing.assert_allclose(score, mass[last], atol=1e-12)


@given(rows, st.floats(0, 1), st.floats(0, 1))
def test_sets_grow_with_the_threshold_and_take_the_likely_first(p, one, other) -> None:
    low, high = sorted((one, other))
    for score in (lac_scores, aps_scores):
        small, large = (prediction_sets(score(p), t) for t in (low, high))
        assert (small <= large).all()
        left_out = np.where(large, -np.inf, p).max(axis=-1)
        kept = np.where(large, p, np.inf).min(axis=-1)
        assert (kept >= left_out).all()
