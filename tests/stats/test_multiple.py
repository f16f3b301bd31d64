import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from metarobust.stats.multiple import benjamini_hochberg, holm

p_values = arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1))

# Benjamini & Hochberg 1995, section 4: 15 hypotheses of a trial of thrombolysis.
TRIAL = np.array([
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
])  # fmt: skip


def test_the_published_example() -> None:
    # The paper: Bonferroni-type procedures reject 3 hypotheses at 0.05, the new one rejects 4.
    assert (holm(TRIAL) <= 0.05).sum() == 3
    assert (benjamini_hochberg(TRIAL) <= 0.05).sum() == 4


@given(p_values)
def test_benjamini_hochberg_is_scipys(p: np.ndarray) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_both_are_statsmodels(ours, theirs: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    expected = multitest.multipletests(TRIAL, method=theirs)[1]
    np.testing.assert_allclose(ours(TRIAL), expected, atol=1e-12)


@given(p_values)
def test_holm_is_the_maximum_of_bonferronis(p: np.ndarray) -> None:
    # The definition: adjusted p of i is the largest (M - #{below j}) p_j over the j up to i.
    order = sorted(range(p.size), key=lambda i: p[i])
    expected = np.empty(p.size)
    for rank, i in enumerate(order):
        expected[i] = min(max((p.size - k) * p[order[k]] for k in range(rank + 1)), 1.0)
    np.testing.assert_allclose(holm(p), expected, atol=1e-12)


@given(p_values, st.randoms(use_true_random=False))
def test_adjusting_raises_keeps_the_order_and_ignores_the_place(p: np.ndarray, random) -> None:
    order = random.sample(range(p.size), p.size)
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert (adjusted >= p).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
        np.testing.assert_array_equal(adjust(p[order]), adjusted[order])
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()
