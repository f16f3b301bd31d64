import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp, ttest_ind

from metarobust.stats.intervals import t_interval
from metarobust.stats.seeds import seed_difference, seed_interval

tables = arrays(np.float64, (4, 6), elements=st.floats(0, 1, width=32))


def test_seeds_are_the_unit() -> None:
    x = np.random.default_rng(0).random((5, 40))
    expected = ttest_1samp(x.mean(axis=1), 0).confidence_interval(0.9)
    found = seed_interval(x, level=0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert "by meta-training seed" in found.method


def test_seeds_that_were_not_shared_are_compared_by_welch() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.7, 0.02, size=(6, 30)), rng.normal(0.6, 0.1, size=(3, 30))
    test = ttest_ind(ours.mean(axis=1), theirs.mean(axis=1), equal_var=False)
    expected = test.confidence_interval()
    found = seed_difference(ours, theirs)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_seed_speaks_of_its_checkpoint_only() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.random((2, 1, 50))
    one = seed_interval(ours, bounds=(0, 1))
    assert (one.low, one.high) == pytest.approx(
        (t_interval(ours[0], bounds=(0, 1)).low, t_interval(ours[0], bounds=(0, 1)).high)
    )
    assert one.method.endswith("; this checkpoint only")
    both = seed_difference(np.vstack([ours, ours]), theirs)
    assert both.low == pytest.approx(t_interval((ours - theirs)[0]).low)
    assert both.method.endswith("; this checkpoint only")
    alone = seed_interval(ours[:, :1])
    assert alone.reason.endswith("; this checkpoint only")


@pytest.mark.parametrize(
    ("values", "value", "reason"),
    [
        (np.empty((0, 5)), None, "no meta-training seed"),
        (np.empty((3, 0)), None, "no episode"),
        (np.tile([0.4, 0.6], (3, 1)), 0.5, "every seed gives the same value"),
    ],
)
def test_no_interval_without_spread(values: np.ndarray, value, reason: str) -> None:
    found = seed_interval(values)
    assert (found.value, found.low) == (pytest.approx(value), None)
    assert reason in found.reason
    apart = seed_difference(values, values)
    assert (apart.value, apart.low) == (None if value is None else 0.0, None)
    assert reason in apart.reason


@pytest.mark.parametrize("seeds", [3, 5])
def test_coverage_over_training_runs(seeds: int) -> None:
    """Nominal 95 %; seeds spread by 1 point, 600 episodes by 10: episodes alone cover half."""
    rng = np.random.default_rng(3)
    covered, repeats = np.zeros(3), 1000
    for _ in range(repeats):
        levels = rng.normal(0.7, 0.01, size=(2, seeds, 1))
        # Means of 600 episodes of spread 0.1, kept as ten of 60 each.
        ours, theirs = levels + rng.normal(0, 0.1 / np.sqrt(60), size=(2, seeds, 10))
        naive = t_interval(rng.normal(levels[0, 0, 0], 0.1, size=600))
        intervals = ((seed_interval(ours), 0.7), (seed_difference(ours, theirs), 0), (naive, 0.7))
        covered += [found.low <= truth <= found.high for found, truth in intervals]
    by_seed, by_welch, by_episode = covered / repeats
    assert 0.93 <= by_seed <= 0.97
    assert 0.93 <= by_welch <= 0.985
    assert by_episode == pytest.approx(0.54, abs=0.06)


@given(tables, st.permutations(range(4)), st.permutations(range(6)))
def test_order_does_not_matter_and_the_difference_is_odd(x: np.ndarray, seeds, episodes) -> None:
    one, other = seed_interval(x), seed_interval(x[seeds][:, episodes])
    assert other.value == pytest.approx(one.value, abs=1e-12)
    if one.low is not None and other.low is not None:
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-9)
    there, back = seed_difference(x[:2], x[2:]), seed_difference(x[2:], x[:2])
    assert there.value == pytest.approx(-back.value, abs=1e-12)
    if there.low is not None and back.high is not None:
        assert there.low == pytest.approx(-back.high, abs=1e-9)
