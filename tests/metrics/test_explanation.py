import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from metarobust.metrics.explanation import rank_correlation, top_overlap

maps = arrays(np.float64, (2, 10), elements=st.integers(-5, 5).map(float))


def test_rank_correlation_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(0, 12, size=(4, 5, 84))
    after = before + rng.integers(0, 12, size=before.shape)
    found = rank_correlation(before, after)
    for i in np.ndindex(4, 5):
        assert found[i] == pytest.approx(spearmanr(before[i], after[i]).statistic, abs=1e-12)


def test_without_ties_the_overlap_is_that_of_two_sets() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.random((2, 30, 784))
    after = 0.6 * before + 0.4 * after
    tops = np.argsort(-before)[:, :79], np.argsort(-after)[:, :79]
    expected = [len(set(a) & set(b)) / 79 for a, b in zip(*tops, strict=True)]
    np.testing.assert_allclose(top_overlap(before, after), expected, atol=1e-12)


def test_unrelated_maps_overlap_by_the_share() -> None:
    before, after = np.random.default_rng(2).random((2, 2000, 100))
    assert top_overlap(before, after).mean() == pytest.approx(0.1, abs=0.005)
    assert rank_correlation(before, after).mean() == pytest.approx(0.0, abs=0.01)


def test_a_constant_map_ranks_nothing() -> None:
    flat, steep = np.zeros((1, 40)), np.arange(40.0)[None]
    assert np.isnan(rank_correlation(flat, steep)).all()
    np.testing.assert_allclose(top_overlap(flat, steep, share=0.25), 0.25)
    np.testing.assert_allclose(top_overlap(flat, flat, share=0.25), 1.0)


@given(maps, maps, st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_agreement_is_symmetric_bounded_and_full_with_itself(before, after, share) -> None:
    overlap = top_overlap(before, after, share)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-12)).all()
    np.testing.assert_allclose(top_overlap(after, before, share), overlap, atol=1e-12)
    np.testing.assert_allclose(top_overlap(before, before, share), 1.0)
    correlation = rank_correlation(before, after)
    known = correlation[~np.isnan(correlation)]
    assert (np.abs(known) <= 1 + 1e-12).all()
    np.testing.assert_allclose(rank_correlation(after, before), correlation, atol=1e-12)


@given(maps, maps, st.permutations(range(10)))
def test_only_the_order_of_pixels_by_salience_matters(before, after, order) -> None:
    overlap, correlation = top_overlap(before, after), rank_correlation(before, after)
    moved = before[:, order], np.exp(after[:, order])
    np.testing.assert_allclose(top_overlap(*moved), overlap, atol=1e-12)
    np.testing.assert_allclose(rank_correlation(*moved), correlation, atol=1e-12)
