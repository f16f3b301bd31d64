"""Clopper-Pearson and the radius of smoothing against scipy, statsmodels' formula and theorem 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from metarobust.stats.smoothing import NO_RADIUS, clopper_pearson_lower, smoothed_radius


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (990, 1000)])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_bound_is_that_of_an_exact_one_sided_test(k, n, alpha):
    exact = binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, method="exact").low
    assert clopper_pearson_lower(k, n, alpha) == pytest.approx(exact, abs=1e-12)


def test_it_is_rarely_above_the_truth():
    n, p, alpha = 50, 0.7, 0.05
    k = np.arange(n + 1)
    too_high = clopper_pearson_lower(k, n, alpha) > p
    assert binom.pmf(k, n, p)[too_high].sum() <= alpha


@given(st.integers(1, 500), st.floats(0.01, 2.0), st.floats(1e-4, 0.1))
def test_a_radius_grows_with_votes_and_nobody_is_sure_of_half(n, sigma, alpha):
    radii = smoothed_radius(np.arange(n + 1), n, sigma, alpha)
    assert (np.diff(radii) >= 0).all()
    assert (radii[: n // 2 + 1] == NO_RADIUS).all()
    assert ((radii > 0) | (radii == NO_RADIUS)).all()


def test_all_votes_give_the_published_largest_radius():
    # Cohen et al. 2019, section 3.2.2: n of n votes give sigma Phi^-1(alpha^(1/n)).
    for n in (100, 1000, 100_000):
        expected = 0.25 * norm.ppf(0.001 ** (1 / n))
        assert smoothed_radius(np.array([n]), n, 0.25)[0] == pytest.approx(expected, rel=1e-9)
