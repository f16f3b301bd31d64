import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import monte_carlo_test

from metarobust.metrics.calibration import ece, mass_edges, null_ece, reliability_bins
from metarobust.stats.montecarlo import monte_carlo_p_value


def test_the_p_value_is_scipys() -> None:
    x = np.random.default_rng(0).normal(0.4, 1.0, size=20)
    rng = np.random.default_rng(1)
    expected = monte_carlo_test(
        x, rng.standard_normal, np.mean, n_resamples=999, alternative="greater", vectorized=False
    )
    found = monte_carlo_p_value(float(x.mean()), expected.null_distribution)
    assert found == pytest.approx(expected.pvalue, abs=1e-12)


def test_under_the_null_it_is_exactly_uniform() -> None:
    # Each of 20 exchangeable values is the observed one in turn: p takes each k / 20 once.
    values = np.random.default_rng(2).random(20)
    found = sorted(monte_carlo_p_value(v, np.delete(values, i)) for i, v in enumerate(values))
    np.testing.assert_allclose(found, np.arange(1, 21) / 20)


@given(arrays(np.float64, 30, elements=st.floats(0, 1)), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_statistic_has_no_larger_p_value(null: np.ndarray, one, other) -> None:
    small, large = sorted((one, other))
    assert 1 / 31 <= monte_carlo_p_value(large, null) <= monte_carlo_p_value(small, null) <= 1


@pytest.mark.parametrize(("sharpen", "least", "most"), [(1.0, 0.02, 0.09), (1.6, 0.9, 1.0)])
def test_the_test_of_calibration_keeps_its_level_and_has_power(
    sharpen: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(3)
    rejected = 0
    for _ in range(200):
        z = rng.normal(scale=2.0, size=(300, 5))
        labels = (rng.random((300, 1)) > softmax(z, axis=1).cumsum(axis=1)).sum(axis=1)
        c, a = softmax(z * sharpen, axis=1).max(axis=1), z.argmax(axis=1) == labels
        edges = mass_edges(c)
        observed = ece(reliability_bins(c, a, edges))
        rejected += monte_carlo_p_value(observed, null_ece(c, edges, rng, 99)) <= 0.05
    assert least <= rejected / 200 <= most
