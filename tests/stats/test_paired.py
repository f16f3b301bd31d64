import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import permutation_test, ttest_1samp, ttest_rel, wilcoxon

from metarobust.stats.paired import paired_interval, sign_flip_test


def test_paired_interval_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 50))
    expected = ttest_rel(a, b).confidence_interval()
    found = paired_interval(a - b)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.method.startswith("paired t")


def test_equal_conditions_say_so() -> None:
    found = paired_interval(np.zeros(9), bounds=(-1, 1))
    assert (found.value, found.low, found.high) == (0.0, None, None)
    assert "same value" in found.reason


def test_few_episodes_are_tested_exactly() -> None:
    # With no ties among the magnitudes, all 2^10 flips: the share as extreme as the data.
    d = np.random.default_rng(1).normal(0.4, 1.0, size=10)
    signs = 1 - 2 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1)
    means = signs @ np.abs(d) / 10
    expected = (np.abs(means) >= abs(d.mean()) - 1e-12).mean()
    found = sign_flip_test(d, rng=np.random.default_rng(0))
    assert found.p_value == pytest.approx(expected, abs=1e-12)


def test_a_consistent_sign_gives_the_p_of_the_signed_rank_test() -> None:
    # All differences positive: only the two extreme flips of 2^8 are as extreme, in both tests.
    d = np.linspace(0.1, 0.8, 8)
    found = sign_flip_test(d, rng=np.random.default_rng(0))
    assert found.p_value == pytest.approx(wilcoxon(d, method="exact").pvalue)


def test_many_episodes_agree_with_the_t_test_and_with_scipy() -> None:
    rng = np.random.default_rng(2)
    d = rng.normal(0.02, 0.1, size=100)
    found = sign_flip_test(d, rng=np.random.default_rng(3))
    assert found.p_value == pytest.approx(ttest_1samp(d, 0).pvalue, abs=0.015)
    scipys = permutation_test(
        (d, np.zeros_like(d)),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        permutation_type="samples",
        rng=np.random.default_rng(4),
    )
    assert found.p_value == pytest.approx(scipys.pvalue, abs=0.015)


def test_no_p_value_is_below_its_floor() -> None:
    found = sign_flip_test(np.ones(40) + np.arange(40), rng=np.random.default_rng(5), resamples=199)
    assert found.p_value == pytest.approx(2 / 200)


@pytest.mark.parametrize(
    ("values", "difference", "p_value", "reason"),
    [
        ([], None, None, "fewer than two"),
        ([0.3], 0.3, None, "fewer than two"),
        ([0.0, 0.0, 0.0], 0.0, 1.0, "by convention"),
    ],
)
def test_degenerate_tests_say_so(values, difference, p_value, reason: str) -> None:
    found = sign_flip_test(np.array(values), rng=np.random.default_rng(0))
    assert (found.difference, found.p_value) == (difference, p_value)
    assert reason in found.reason


@settings(max_examples=30)
@given(arrays(np.float64, 6, elements=st.integers(-20, 20).map(float)), st.permutations(range(6)))
def test_the_test_ignores_order_and_the_sign_of_the_question(d: np.ndarray, order) -> None:
    p = sign_flip_test(d, rng=np.random.default_rng(0)).p_value
    assert sign_flip_test(-d[order], rng=np.random.default_rng(0)).p_value == pytest.approx(p)


def test_the_error_rate_is_the_nominal_one() -> None:
    # Skewed but symmetric under the null: differences of two draws of one law.
    rng = np.random.default_rng(6)
    rejected = [
        sign_flip_test(
            np.diff(rng.beta(9, 1, size=(2, 30)), axis=0)[0], rng=rng, resamples=199
        ).p_value
        <= 0.05
        for _ in range(400)
    ]
    assert 0.02 <= np.mean(rejected) <= 0.08
