import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, norm, studentized_range, ttest_1samp

from metarobust.stats.extremes import group_extremes
from metarobust.stats.intervals import t_interval

hits = arrays(np.int64, (12, 4), elements=st.integers(0, 5))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def run(
    rng: np.random.Generator, truth: np.ndarray, episodes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and queries of episodes of 5 classes, 5 queries each, of shared difficulty."""
    chosen = np.stack([rng.choice(truth.size, 5, replace=False) for _ in range(episodes)])
    ease = rng.normal(0, 0.05, size=(episodes, 1))
    sums, counts = np.zeros((2, episodes, truth.size))
    np.put_along_axis(sums, chosen, rng.binomial(5, (truth[chosen] + ease).clip(0, 1)), axis=1)
    np.put_along_axis(counts, chosen, 5, axis=1)
    return sums, counts


def test_one_group_has_students_interval() -> None:
    x = np.random.default_rng(1).integers(0, 6, size=(40, 1))
    found = group_extremes(x, np.full((40, 1), 5), rng=rng(), resamples=20_000)
    expected = ttest_1samp(x[:, 0] / 5, 0).confidence_interval()
    for extreme in (found.lowest, found.highest):
        # One limit is Student's, the other the same tail by simulation.
        assert (extreme.low, extreme.high) == pytest.approx(tuple(expected), abs=2e-3)
    assert found.lowest.low == pytest.approx(expected.low, abs=1e-12)
    assert found.gap.value == 0


def test_the_shared_limit_of_independent_groups_is_sidaks() -> None:
    # Upper limits of G independent groups hold at once with tail 1 - (1 - a)^(1 / G) each.
    groups, episodes = 10, 2000
    x = np.random.default_rng(2).normal(0.0, 1.0, size=(episodes, groups))
    x -= x.mean(axis=0)  # equal means, so the lowest upper limit is that of the least spread
    found = group_extremes(
        x, np.ones_like(x), rng=rng(), bounds=(-math.inf, math.inf), resamples=8000
    )
    tail = 1 - 0.975 ** (1 / groups)
    errors = x.std(axis=0, ddof=1) / math.sqrt(episodes)
    assert found.lowest.high == pytest.approx(errors.min() * norm.isf(tail), rel=0.02)
    # Two sides of all pairs at once cannot be narrower than Tukey's range of two means.
    tukey = studentized_range.ppf(0.95, groups, math.inf) * errors.mean()
    assert found.gap.high >= 0.8 * tukey


@pytest.mark.parametrize("end", [0, 5])
def test_a_group_without_spread_takes_the_exact_limit(end: int) -> None:
    sums = np.column_stack([np.full(30, end), np.tile([2, 3], 15)])
    found = group_extremes(sums, np.full((30, 2), 5), rng=rng(), resamples=20_000)
    extreme = found.lowest if end == 0 else found.highest
    exact = binomtest(0, 30).proportion_ci(method="exact").high
    assert extreme.value == end / 5
    inner = extreme.high if end == 0 else 1 - extreme.low
    # Two groups at once share the tail: it is wider than for one, and about Bonferroni's.
    assert exact < inner == pytest.approx(1 - (0.025 / 2) ** (1 / 30), rel=0.01)


@pytest.mark.parametrize(("base", "spread", "episodes"), [(0.7, 0.0, 60), (0.7, 0.03, 200)])
def test_coverage_of_the_extremes_of_twenty_classes(
    base: float, spread: float, episodes: int
) -> None:
    """Nominal 95 %; a percentile bootstrap of the lowest of equal classes covers none of them."""
    generator = np.random.default_rng(3)
    truth = base + spread * np.linspace(-2, 2, 20)
    covered = np.zeros(3)
    for _ in range(300):
        found = group_extremes(*run(generator, truth, episodes), rng=generator, resamples=300)
        pairs = (
            (found.lowest, truth.min()),
            (found.highest, truth.max()),
            (found.gap, np.ptp(truth)),
        )
        covered += [e.low - 1e-12 <= t <= e.high for e, t in pairs]
    assert (covered / 300 >= 0.92).all()


@pytest.mark.parametrize(
    ("sums", "counts", "bounds", "value", "reason"),
    [
        (np.empty((0, 2)), np.empty((0, 2)), (0, 1), None, "no episode"),
        (np.ones((3, 2)), np.array([[2, 2], [2, 0], [2, 0]]), (0, 1), 0.5, "one episode only"),
        (np.ones((3, 2)), np.full((3, 2), 2), (0, math.inf), 0.5, "the same value"),
    ],
)
def test_no_interval_without_spread(sums, counts, bounds, value, reason: str) -> None:
    found = group_extremes(sums * (counts > 0), counts, rng=rng(), bounds=bounds)
    assert (found.lowest.value, found.lowest.low, found.gap.low) == (value, None, None)
    assert reason in found.lowest.reason


@given(hits, st.permutations(range(12)), st.permutations(range(4)))
def test_order_does_not_matter_and_the_scale_can_be_turned(x: np.ndarray, episodes, groups) -> None:
    counts = np.full(x.shape, 5)
    found = group_extremes(x, counts, rng=rng(), resamples=400)
    assert 0 <= found.lowest.low <= found.lowest.value <= found.lowest.high <= 1
    assert 0 <= found.gap.low <= found.gap.value + 1e-12
    assert found.gap.value <= found.gap.high <= 1
    moved = group_extremes(x[:, groups], counts, rng=rng(), resamples=400)
    assert moved.lowest.low == pytest.approx(found.lowest.low, abs=1e-9)
    assert moved.lowest.high == pytest.approx(found.lowest.high, abs=1e-9)
    turned = group_extremes(5 - x[episodes], counts, rng=rng(), resamples=400)
    assert turned.highest.value == pytest.approx(1 - found.lowest.value)
    assert turned.highest.high == pytest.approx(1 - found.lowest.low, abs=1e-9)


@given(hits)
def test_it_is_no_narrower_than_the_interval_of_the_worst_group_alone(x: np.ndarray) -> None:
    found = group_extremes(x, np.full(x.shape, 5), rng=rng(), resamples=400)
    alone = t_interval(x[:, x.sum(axis=0).argmin()] / 5, bounds=(0, 1))
    if alone.low is not None:
        assert found.lowest.low <= alone.low + 1e-9
