"""Resamples that are drawn once: every row holds E episodes, and the first row is the data."""

import numpy as np
import pytest

from metarobust.stats.pooled import pooled_interval
from metarobust.stats.resamples import EpisodeResamples


def test_rows_and_weights_say_the_same() -> None:
    resamples = EpisodeResamples.draw(7, np.random.default_rng(0), resamples=20)
    values = np.random.default_rng(1).random(7)
    assert resamples.rows.shape == resamples.weights.shape == (21, 7)
    assert resamples.weights[0].tolist() == [1] * 7
    assert set(resamples.weights.sum(axis=1)) == {7}
    np.testing.assert_allclose(resamples.weights @ values, values[resamples.rows].sum(axis=1))


def test_the_interval_is_that_of_one_call_for_each_resample() -> None:
    values = np.random.default_rng(2).random(50)
    resamples = EpisodeResamples.draw(50, np.random.default_rng(3), resamples=500)
    ours = resamples.estimate(np.median(values[resamples.rows], axis=1), bounds=(0, 1))
    theirs = pooled_interval(np.median, values, rng=np.random.default_rng(3), bounds=(0, 1))
    assert ours == theirs


def test_what_has_no_interval_says_why() -> None:
    rng = np.random.default_rng(4)
    one = EpisodeResamples.draw(1, rng)
    assert "one episode" in one.estimate(np.full(301, 0.5)).reason
    many = EpisodeResamples.draw(9, rng, resamples=100)
    assert "same value" in many.estimate(np.full(101, 0.5)).reason
    lost = np.r_[0.5, np.full(10, np.nan), np.linspace(0, 1, 90)]
    assert many.estimate(lost).reason == "undefined in 10 of 100 resamples"
    none = many.estimate(np.full(101, np.inf), undefined="never fooled")
    assert (none.value, none.reason) == (None, "never fooled")


@pytest.mark.parametrize("episodes", [20, 100])
def test_coverage_of_a_ratio_of_sums(episodes: int) -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        had = rng.integers(5, 15, size=episodes)
        lost = rng.binomial(had, 0.3)
        weights = (resamples := EpisodeResamples.draw(episodes, rng, 200)).weights
        found = resamples.estimate((weights @ lost) / (weights @ had))
        covered += found.low <= 0.3 <= found.high
    assert covered / 200 >= 0.91
