import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from metarobust.stats.intervals import t_interval
from metarobust.stats.sequential import (
    confidence_sequence,
    precise_enough,
    sequential_interval,
)

R2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05)) + 1) / 600


@pytest.mark.parametrize("t", [2, 50, 600, 5000])
def test_its_edge_is_where_the_mixture_martingale_reaches_one_over_alpha(t: int) -> None:
    # Robbins 1970: the likelihood ratios exp(l S - l^2 t / 2) of unit normals, mixed over
    # l ~ N(0, r^2), are a martingale of mean 1, which passes 1 / a with a chance of at most a.
    x = np.resize([-1.0, 1.0], t)
    found = confidence_sequence(x)
    reach = t * found.half_width[-1] / x.std()
    top = reach * R2 / (t * R2 + 1)
    mixed, _ = quad(
        lambda rate: math.exp(rate * reach - rate**2 * t / 2) * norm.pdf(rate, scale=R2**0.5),
        top - 10 / math.sqrt(t + 1 / R2),
        top + 10 / math.sqrt(t + 1 / R2),
        points=[top],
    )
    assert mixed == pytest.approx(1 / 0.05, rel=1e-6)


def test_it_is_nearly_the_tightest_where_it_is_asked_to_be() -> None:
    def width(log_r2: float) -> float:
        product = 600 * math.exp(log_r2) + 1
        return math.sqrt(product / (600**2 * math.exp(log_r2)) * math.log(product / 0.05**2))

    best = minimize_scalar(width, bounds=(-12, 2), method="bounded").fun
    found = confidence_sequence(np.resize([-1.0, 1.0], 600), tightest=600)
    assert best <= found.half_width[-1] <= 1.001 * best


def test_running_moments_are_numpys() -> None:
    x = 1e3 + np.random.default_rng(0).normal(0, 0.1, size=300)
    found = confidence_sequence(x, tightest=100, level=0.9)
    r2 = (-2 * math.log(0.1) + math.log(-2 * math.log(0.1)) + 1) / 100
    for t in (2, 30, 300):
        head, a2 = x[:t], 0.1**2
        half = head.std() * math.sqrt((t * r2 + 1) / (t**2 * r2) * math.log((t * r2 + 1) / a2))
        assert found.mean[t - 1] == pytest.approx(head.mean(), abs=1e-10)
        assert found.half_width[t - 1] == pytest.approx(half, rel=1e-7)


def test_the_price_of_peeking() -> None:
    # Measured elsewhere at 600 episodes: 1.56 times the half-width of the fixed interval.
    x = np.random.default_rng(1).normal(0.7, 0.12, size=600)
    fixed, open_ended = t_interval(x), sequential_interval(x)
    ratio = (open_ended.high - open_ended.low) / (fixed.high - fixed.low)
    assert ratio == pytest.approx(0.0148 / 0.0095, abs=0.02)


def test_it_keeps_its_error_rate_under_peeking() -> None:
    """Looked at every 10 episodes; accuracies of 25 queries around a skewed difficulty."""
    rng = np.random.default_rng(2)
    missed, repeats = np.zeros(2), 600
    looks = np.arange(49, 2000, 10)
    for _ in range(repeats):
        x = rng.binomial(25, rng.beta(7, 3, size=2000)) / 25
        sequence = confidence_sequence(x)
        error = np.abs(sequence.mean - 0.7)[looks]
        missed[0] += (error > sequence.half_width[looks]).any()
        t = looks[looks < 600] + 1
        spread = np.array([x[:n].std(ddof=1) for n in t]) / np.sqrt(t)
        missed[1] += (error[: t.size] > 1.96 * spread).any()
    peeked, naive = missed / repeats
    assert peeked <= 0.05
    assert naive == pytest.approx(0.28, abs=0.05)


def test_stopping_when_it_is_narrow_keeps_the_error_rate() -> None:
    rng = np.random.default_rng(3)
    missed, lengths = 0, []
    for _ in range(150):
        x = rng.binomial(25, rng.beta(7, 3, size=1500)) / 25
        stop = next(n for n in range(50, 1501, 50) if precise_enough(x[:n], 0.02))
        found = sequential_interval(x[:stop], bounds=(0, 1))
        missed += not found.low <= 0.7 <= found.high
        lengths.append(stop)
        assert found.high - found.low <= 0.04
        assert not precise_enough(x[: stop - 50], 0.02)
    assert missed / 150 <= 0.05
    assert 400 <= np.mean(lengths) <= 800


@pytest.mark.parametrize(
    ("values", "value", "reason"),
    [
        ([], None, "no episode"),
        ([0.7], 0.7, "one episode"),
        ([0.7] * 90, 0.7, "every episode gives the same value"),
    ],
)
def test_equal_episodes_never_stop_it(values: list[float], value, reason: str) -> None:
    found = sequential_interval(np.array(values), bounds=(0, 1))
    assert (found.value, found.low) == (pytest.approx(value), None)
    assert reason in found.reason
    assert not precise_enough(np.array(values), 1.0)


@given(arrays(np.float64, st.integers(2, 80), elements=st.floats(0, 1, width=32)))
def test_it_holds_the_fixed_interval_and_stays_on_the_scale(x: np.ndarray) -> None:
    fixed, found = t_interval(x), sequential_interval(x)
    if found.low is not None and fixed.low is not None and x.size > 10:
        assert found.low <= fixed.low + 1e-9
        assert found.high >= fixed.high - 1e-9
    cut = sequential_interval(x, bounds=(0, 1))
    if cut.low is not None:
        assert 0 <= cut.low <= cut.value + 1e-12
        assert cut.value - 1e-12 <= cut.high <= 1
