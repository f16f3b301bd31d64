"""Scores of predicted values against scipy's normal distribution."""

import numpy as np
import pytest
from scipy.stats import norm

from metarobust.metrics.regression import gaussian_nll, half_widths, squared_error


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(40, 500)), rng.uniform(0.2, 2, size=(40, 500))
    return means, deviations, rng.normal(means, deviations)


def test_the_likelihood_is_scipys(predictions):
    means, deviations, targets = predictions
    expected = -norm.logpdf(targets, means, deviations)
    np.testing.assert_allclose(gaussian_nll(means, deviations, targets), expected, rtol=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_the_interval_of_a_known_gaussian_covers_its_share(predictions, level):
    means, deviations, targets = predictions
    inside = np.abs(targets - means) <= half_widths(deviations, level)
    error = np.sqrt(level * (1 - level) / inside.size)
    assert inside.mean() == pytest.approx(level, abs=4 * error)


def test_the_error_of_the_mean_is_the_variance(predictions):
    means, deviations, targets = predictions
    ratio = squared_error(means, targets) / deviations**2
    assert ratio.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / ratio.size))
