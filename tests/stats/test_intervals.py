import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, ttest_1samp

from metarobust.stats.intervals import ratio_interval, t_interval

shares = arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1, width=32))


def test_t_interval_is_scipys() -> None:
    x = np.random.default_rng(0).random(40)
    expected = ttest_1samp(x, 0).confidence_interval(0.9)
    found = t_interval(x, level=0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.value == pytest.approx(x.mean())


@pytest.mark.parametrize("episodes", [2, 10, 200])
@pytest.mark.parametrize(("end", "bounds"), [(0.0, (0, 1)), (1.0, (0, 1)), (0.0, (0, 2))])
def test_equal_episodes_at_a_bound_are_clopper_pearson(episodes: int, end: float, bounds) -> None:
    found = t_interval(np.full(episodes, end), bounds=bounds)
    leave = binomtest(0, episodes).proportion_ci(method="exact").high * bounds[1]
    expected = (end, end + leave) if end == bounds[0] else (end - leave, end)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert "equal episodes" in found.method


@pytest.mark.parametrize(
    ("values", "value", "reason"),
    [
        ([], None, "no episode"),
        ([0.7], 0.7, "one episode"),
        ([0.7, 0.7, 0.7], 0.7, "every episode gives the same value"),
        ([0.1 + 0.2, 0.3, 0.3], 0.3, "every episode gives the same value"),
    ],
)
def test_no_interval_without_spread(values: list[float], value: float | None, reason: str) -> None:
    found = t_interval(np.array(values), bounds=(0, 1))
    assert (found.value, found.low, found.high) == (pytest.approx(value), None, None)
    assert reason in found.reason


def test_equal_episodes_at_the_only_bound_of_a_half_line_have_no_interval() -> None:
    found = t_interval(np.zeros(5), bounds=(0, math.inf))
    assert (found.value, found.low) == (0.0, None)


@pytest.mark.parametrize(
    ("episodes", "centre", "flagged"), [(10, 0.985, True), (30, 0.985, False), (10, 0.62, False)]
)
def test_few_episodes_near_a_bound_are_flagged(episodes: int, centre: float, flagged: bool) -> None:
    x = np.where(np.arange(episodes) % 2, centre - 0.01, centre + 0.01)
    assert ("too short" in t_interval(x, bounds=(0, 1)).method) == flagged


@given(shares, st.randoms(use_true_random=False))
def test_t_interval_stays_on_the_scale_and_ignores_the_order(x: np.ndarray, random) -> None:
    found = t_interval(x, bounds=(0, 1))
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1
    other = t_interval(np.array(random.sample(list(x), x.size)), bounds=(0, 1))
    assert other.value == pytest.approx(found.value, abs=1e-12)
    assert other.high == pytest.approx(found.high, abs=1e-9)


def test_fieller_holds_the_ratios_that_a_t_test_does_not_reject() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(0.6, 0.2, size=25)
    x = 0.4 * y + rng.normal(0, 0.1, size=25)
    found = ratio_interval(x, y)
    for end in (found.low, found.high):
        assert ttest_1samp(x - end * y, 0).pvalue == pytest.approx(0.05, abs=1e-10)
    assert ttest_1samp(x - found.value * y, 0).pvalue == pytest.approx(1.0)


def test_fieller_tends_to_the_delta_method() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(0.9, 0.02, size=2000)
    x = 0.5 * y + rng.normal(0, 0.02, size=2000)
    found = ratio_interval(x, y)
    half = 1.96 * (x - found.value * y).std(ddof=1) / y.mean() / math.sqrt(2000)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.01)


@pytest.mark.parametrize(
    ("x", "y", "value", "reason"),
    [
        ([], [], None, "no episode"),
        ([0.2, 0.1], [-0.1, 0.1], None, "the clean share is 0, not above 0"),
        ([0.2, 0.1], [-0.3, 0.1], None, "the clean share is -0.1, not above 0"),
        ([0.2, 0.1], [-0.1, 0.3], None, "the interval of the clean share (0.1) covers 0"),
        ([0.2], [0.4], 0.5, "one episode"),
        ([0.25, 0.26, 0.27], [0.5, 0.52, 0.54], 0.5, "every episode gives the same value"),
        ([0.0, 0.0], [0.41, 0.4], 0.0, "every episode gives the same value"),
    ],
)
def test_a_ratio_that_says_nothing_is_not_reported(x, y, value, reason: str) -> None:
    found = ratio_interval(np.array(x), np.array(y), reference="the clean share")
    assert (found.value, found.low, found.high) == (pytest.approx(value), None, None)
    assert reason in found.reason


@given(shares, st.data())
def test_fieller_holds_its_value_inside_its_bounds(y: np.ndarray, data) -> None:
    x = y * data.draw(arrays(np.float64, y.size, elements=st.floats(0, 1, width=32)))
    found = ratio_interval(x, y, bounds=(0.0, 1.0))
    assume(found.low is not None)
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1


def episodes_of(rng: np.random.Generator, count: int, queries: int, kept: float):
    """Clean and attacked hits of episodes whose difficulty varies, paired query by query."""
    skill = rng.beta(7, 3, size=(count, 1))
    clean = rng.random((count, queries)) < skill
    return clean, clean & (rng.random((count, queries)) < kept)


@pytest.mark.parametrize(("count", "least"), [(15, 0.92), (100, 0.93)])
def test_coverage_of_t_and_fieller(count: int, least: float) -> None:
    """Nominal 95 %; accuracy 0.7, of which the threat leaves 0.6, so the truth is known."""
    rng = np.random.default_rng(3)
    covered, repeats = np.zeros(3), 1500
    for _ in range(repeats):
        clean, attacked = episodes_of(rng, count, 25, 0.6)
        x, y = attacked.mean(axis=1), clean.mean(axis=1)
        intervals = (
            (t_interval(x, bounds=(0, 1)), 0.42),
            (ratio_interval(x, y), 0.6),
            (ratio_interval(x - 0.2, y - 0.2), 0.22 / 0.5),
        )
        covered += [found.low <= truth <= found.high for found, truth in intervals]
    assert (covered / repeats >= least).all()
    assert (covered / repeats <= 0.975).all()
