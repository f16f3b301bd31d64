import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import bootstrap

from metarobust.metrics.calibration import (
    confidence,
    ece,
    episode_gaps,
    mass_edges,
    null_ece,
    reliability_bins,
)
from metarobust.stats.bootstrap import bootstrap_interval, ece_interval
from metarobust.stats.intervals import t_interval


def worst_tenth(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.sort(x, axis=axis)[..., : x.shape[-1] // 10].mean(axis=-1)


def difference(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    return a.mean(axis=axis) - b.mean(axis=axis)


def test_bootstrap_interval_is_scipys() -> None:
    x = np.random.default_rng(0).beta(5, 2, size=100)
    expected = bootstrap(
        (x,), worst_tenth, n_resamples=500, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    found = bootstrap_interval(worst_tenth, x, rng=np.random.default_rng(1), resamples=500)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.method.startswith("BCa")


def test_bootstrap_of_a_paired_mean_is_near_the_t_interval() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(0.7, 0.2, size=300)
    b = a - rng.normal(0.1, 0.05, size=300)
    found = bootstrap_interval(difference, a, b, rng=rng)
    expected = t_interval(a - b)
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_percentiles_stand_in_where_bca_is_undefined() -> None:
    # Deleting one of these never moves the maximum, so the acceleration is 0/0.
    x = np.array([0.0, 0.0, 1.0, 1.0])
    found = bootstrap_interval(np.max, x, rng=np.random.default_rng(3))
    assert (found.value, found.low, found.high) == (1.0, 0.0, 1.0)
    assert "BCa being undefined" in found.method


@pytest.mark.parametrize(
    ("values", "value", "reason"),
    [([], None, "no episode"), ([0.4], 0.4, "one episode"), ([0.4] * 5, 0.4, "the same value")],
)
def test_no_bootstrap_without_spread(values: list[float], value, reason: str) -> None:
    found = bootstrap_interval(np.mean, np.array(values), rng=np.random.default_rng(4))
    assert (found.value, found.low) == (pytest.approx(value), None)
    assert reason in found.reason


def draw(
    rng: np.random.Generator, episodes: int, queries: int, sharpen: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and answers; `spread` is the episode-level spread of the true log temperature."""
    z = rng.normal(scale=1.6, size=(episodes, queries, 5))
    truth = softmax(z * np.exp(rng.normal(scale=spread, size=(episodes, 1, 1))), axis=-1)
    labels = (rng.random((episodes, queries, 1)) > truth.cumsum(axis=-1)).sum(axis=-1)
    return confidence(z * sharpen), z.argmax(axis=-1) == labels


def interval(rng: np.random.Generator, c: np.ndarray, a: np.ndarray, resamples: int = 300):
    edges = mass_edges(c)
    null = null_ece(c, edges, rng, resamples=60)
    return ece_interval(episode_gaps(c, a, edges), c.shape[1], null, rng=rng, resamples=resamples)


def test_the_matrix_product_is_a_resampling_of_episodes() -> None:
    c, a = draw(np.random.default_rng(5), 40, 25, 1.5, 0.5)
    edges = mass_edges(c)
    gaps = episode_gaps(c, a, edges)
    found = ece_interval(gaps, 25, np.zeros(1), rng=np.random.default_rng(6), resamples=300)
    chosen = np.random.default_rng(6).integers(40, size=(300, 40))
    naive = [ece(reliability_bins(c[rows], a[rows], edges)) for rows in chosen]
    value = ece(reliability_bins(c, a, edges))
    low, high = np.quantile(naive, [0.025, 0.975])
    reach = max(high - value, value - low)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach), abs=1e-12)


def test_an_ece_within_its_null_starts_at_zero() -> None:
    rng = np.random.default_rng(7)
    found = interval(rng, *draw(rng, 40, 25, 1.0, 0.0))
    assert found.low == 0.0
    assert "not rejected" in found.method
    found = interval(rng, *draw(rng, 40, 25, 2.0, 0.0))
    assert found.low > 0.0
    assert "not rejected" not in found.method


def test_no_ece_interval_without_spread() -> None:
    rng = np.random.default_rng(8)
    gaps = np.array([[0.5, -1.0]])
    assert ece_interval(gaps[:0], 5, np.ones(1), rng=rng).value is None
    assert ece_interval(gaps, 5, np.ones(1), rng=rng).value == pytest.approx(0.3)
    for found in (
        ece_interval(gaps, 5, np.ones(1), rng=rng),
        ece_interval(np.tile(gaps, (6, 1)), 5, np.ones(1), rng=rng),
    ):
        assert found.low is None
        assert found.reason


@given(arrays(np.float64, (4, 3), elements=st.floats(-8, 8)), st.permutations(range(3)))
def test_ece_is_bounded_and_blind_to_the_order_of_bins(gaps: np.ndarray, order) -> None:
    gaps = gaps / 3
    found = ece_interval(gaps, 8, np.ones(1), rng=np.random.default_rng(0), resamples=50)
    other = ece_interval(gaps[:, order], 8, np.ones(1), rng=np.random.default_rng(0), resamples=50)
    assert 0 <= found.value <= 1 + 1e-12
    assert other.value == pytest.approx(found.value, abs=1e-12)
    assert other.high == pytest.approx(found.high, abs=1e-9)


@pytest.mark.parametrize(
    ("sharpen", "spread", "truth", "least"),
    [(1.0, 0.0, 0.0, 0.90), (1.3, 0.5, 0.071, 0.92), (2.0, 0.5, 0.173, 0.92)],
)
def test_coverage_of_the_ece_interval(
    sharpen: float, spread: float, truth: float, least: float
) -> None:
    """100 episodes of 25 queries whose true temperatures differ; `truth` from 4 million queries."""
    rng = np.random.default_rng(9)
    found = [interval(rng, *draw(rng, 100, 25, sharpen, spread), 200) for _ in range(150)]
    covered = np.mean([f.low <= truth <= f.high for f in found])
    assert covered >= least
