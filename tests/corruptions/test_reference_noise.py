"""Shot, impulse and speckle noise against their formulas and scipy's Poisson distribution."""

import numpy as np
import pytest
import torch
from scipy import stats

from metarobust.corruptions import corrupt
from metarobust.corruptions.severities import parameters
from metarobust.corruptions.shot_noise import poisson_quantile
from tests.corruptions.pictures import corrupted, picture

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3)]


def test_poisson_quantile_is_scipys() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(20_000)
    rates = np.concatenate([np.zeros(10), rng.exponential(1, 9_990), 600 * rng.random(10_000)])
    found = poisson_quantile(torch.from_numpy(probabilities), torch.from_numpy(rates))
    expected = stats.poisson.ppf(probabilities, rates)
    np.testing.assert_array_equal(found.numpy(), np.maximum(expected, 0))


@pytest.mark.parametrize("severity", range(1, 6))
def test_shot_noise_counts_photons(severity: int) -> None:
    (photons,) = parameters("shot-noise", severity, height=28, width=28, channels=1)
    grey = torch.full((40, 1, 28, 28), 0.3)
    found = corrupt("shot-noise", grey, torch.arange(40), severity, seed=3).double() * photons
    counts = found.round()
    torch.testing.assert_close(found, counts, atol=1e-4, rtol=0)
    inside = counts[counts < photons]
    observed = np.bincount(inside.long().numpy().ravel())
    expected = stats.poisson.pmf(np.arange(len(observed)), 0.3 * photons) * found.numel()
    common = expected > 5
    statistic = ((observed - expected)[common] ** 2 / expected[common]).sum()
    assert stats.chi2.sf(statistic, common.sum()) > 1e-3


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_impulse_noise(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (amount,) = corrupted("impulse-noise", x, severity)
    hit, white = np.moveaxis(draws, 1, -1) <= np.array([amount, 0.5])[:, None, None, None]
    expected = x.copy()
    expected[hit & white] = 1
    expected[hit & ~white] = 0
    np.testing.assert_array_equal(found, expected)


def test_impulse_noise_hits_channels_separately_and_the_published_share() -> None:
    grey = torch.full((60, 3, 32, 32), 0.5)
    found = corrupt("impulse-noise", grey, torch.arange(60), 5, seed=0)
    for value in (0.0, 1.0):
        share = (found == value).double().mean().item()
        assert share == pytest.approx(0.035, abs=0.002)
    assert ((found != 0.5).sum(1) == 1).sum() > 20 * ((found != 0.5).sum(1) == 3).sum()


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_speckle_noise(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (sd,) = corrupted("speckle-noise", x, severity)
    noise = np.moveaxis(draws, 0, -1)
    np.testing.assert_allclose(found, np.clip(x + x * (sd * noise), 0, 1), atol=1e-12)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
