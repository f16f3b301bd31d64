import numpy as np
import pytest

from metarobust.metrics.separation import failure_auroc
from metarobust.stats.bootstrap import ece_interval
from metarobust.stats.intervals import t_interval
from metarobust.stats.pooled import pooled_interval


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_a_resampling_of_episodes(sign: int) -> None:
    rng = np.random.default_rng(0)
    c, a = sign * rng.random((30, 15)), rng.random((30, 15)) < 0.7
    found = pooled_interval(failure_auroc, c, a, rng=np.random.default_rng(1), resamples=200)
    again = np.random.default_rng(1)
    draws = [again.integers(30, size=30) for _ in range(200)]
    low, high = np.quantile([failure_auroc(c[rows], a[rows]) for rows in draws], [0.025, 0.975])
    reach = max(high - found.value, found.value - low)
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))


def test_of_a_mean_it_is_near_the_t_interval() -> None:
    x = np.random.default_rng(2).normal(0.6, 0.1, size=(200, 10))
    found = pooled_interval(np.mean, x, rng=np.random.default_rng(3), resamples=2000)
    expected = t_interval(x.mean(axis=1))
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1.5e-3)


def test_of_a_binned_error_it_is_its_own_interval() -> None:
    gaps = np.random.default_rng(4).normal(0.4, 1.0, size=(40, 6))
    found = pooled_interval(
        lambda g: np.abs(g.sum(axis=0)).sum() / (25 * len(g)),
        gaps,
        rng=np.random.default_rng(5),
        resamples=4000,
    )
    expected = ece_interval(gaps, 25, np.zeros(1), rng=np.random.default_rng(6), resamples=4000)
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=4e-3)


@pytest.mark.parametrize(
    ("correct", "value", "reason"),
    [
        (np.ones((0, 4), bool), None, "no episode"),
        (np.ones((5, 4), bool), None, "scores of both kinds"),
        (np.array([[True, False]]), 1.0, "one episode"),
        (np.tile([True, False], (5, 1)), 1.0, "every episode gives the same value"),
        (np.array([[True, True]] * 9 + [[True, False]]), (10 + 9 / 2) / 19, "undefined in"),
    ],
)
def test_no_interval_where_nothing_can_be_said(correct: np.ndarray, value, reason: str) -> None:
    scores = np.tile([0.9, 0.1, 0.2, 0.3][: correct.shape[1]], (len(correct), 1))
    found = pooled_interval(failure_auroc, scores, correct, rng=np.random.default_rng(7))
    assert (found.value, found.low, found.high) == (pytest.approx(value), None, None)
    assert reason in found.reason


def test_an_infinite_statistic_is_not_a_value() -> None:
    found = pooled_interval(np.median, np.full((5, 3), np.inf), rng=np.random.default_rng(8))
    assert found.value is None
    assert "inf" in found.reason


def test_few_undefined_resamples_are_counted() -> None:
    # Three of 40 episodes hold the only errors: e^-3 of the resamples, 5 %, miss them all.
    rng = np.random.default_rng(9)
    correct = np.ones((40, 4), bool)
    correct[:4, 0] = False
    found = pooled_interval(failure_auroc, rng.random((40, 4)), correct, rng=rng)
    assert found.low is not None
    assert "; undefined in " in found.method


def test_coverage_of_the_failure_auroc() -> None:
    """Nominal 95 %, episodes whose answers share a difficulty; the truth from 300,000 queries."""
    rng = np.random.default_rng(11)

    def draw(episodes: int) -> tuple[np.ndarray, np.ndarray]:
        z = rng.normal(size=(episodes, 15)) + rng.normal(0, 0.5, size=(episodes, 1))
        return z, rng.random(z.shape) < 1 / (1 + np.exp(-1.2 * z - 1))

    truth = failure_auroc(*draw(20_000))
    found = [
        pooled_interval(failure_auroc, *draw(40), rng=rng, bounds=(0, 1), resamples=80)
        for _ in range(80)
    ]
    covered = np.mean([f.low <= truth <= f.high for f in found])
    assert 0.88 <= covered <= 0.99
