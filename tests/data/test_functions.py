"""Families of functions: their formulas, their splits, and the episodes drawn from them."""

import numpy as np
import pytest

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.functions import AMPLITUDES, INTERCEPTS, SLOPES, linear, sinusoid
from metarobust.data.sampler import EpisodeSampler, Protocol

SMALL = {"functions": [30, 10, 10], "points": 12}


def curves(dataset):
    """x in its own units and y of each function, [functions, points]."""
    x = dataset.info["offset"] + dataset.info["scale"] * dataset.images[:, 0].astype(np.float64)
    return x.reshape(50, 12), dataset.targets.reshape(50, 12)


def test_every_line_is_one():
    x, y = curves(linear(**SMALL))
    for points, values in zip(x, y, strict=True):
        slope, intercept = np.polyfit(points, values, 1)
        np.testing.assert_allclose(slope * points + intercept, values, atol=1e-5)
        assert SLOPES[0] <= slope <= SLOPES[1]
        assert INTERCEPTS[0] - 1e-5 <= intercept <= INTERCEPTS[1] + 1e-5


def test_every_sinusoid_is_one():
    x, y = curves(sinusoid(**SMALL))
    for points, values in zip(x, y, strict=True):
        # a sin(x - p) = a cos(p) sin(x) - a sin(p) cos(x): linear in sine and cosine.
        basis = np.stack([np.sin(points), -np.cos(points)], axis=1)
        (c, s), *_ = np.linalg.lstsq(basis, values, rcond=None)
        np.testing.assert_allclose(basis @ [c, s], values, atol=1e-4)
        assert AMPLITUDES[0] - 1e-4 <= np.hypot(c, s) <= AMPLITUDES[1] + 1e-4
        assert s >= -1e-4, "the phase is in [0, pi], whose sine is not negative"


def test_noise_has_the_standard_deviation_asked_for():
    clean = sinusoid(functions=[200, 5, 5], points=50)
    noisy = sinusoid(functions=[200, 5, 5], points=50, noise=0.3)
    np.testing.assert_array_equal(clean.images, noisy.images)
    assert (noisy.targets - clean.targets).std() == pytest.approx(0.3, rel=0.03)
    assert clean.digest != noisy.digest


def test_a_split_does_not_change_with_the_size_of_another():
    few, many = sinusoid(**SMALL), sinusoid(functions=[60, 10, 10], points=12)
    rows = [np.concatenate([d.class_rows[c] for c in d.splits["test"]]) for d in (few, many)]
    np.testing.assert_array_equal(few.targets[rows[0]], many.targets[rows[1]])


def test_an_episode_is_one_function_with_disjoint_points():
    dataset = linear(**SMALL)
    episode = EpisodeSampler(dataset, Protocol(1, 4, 5, 3), 0)[2]
    assert episode.regression
    assert (episode.support_x.shape, episode.query_y.shape) == ((4, 1), (5,))
    ids = np.concatenate([episode.support_ids, episode.query_ids, episode.attacker_ids])
    assert len(set(ids.tolist())) == 12
    assert set(dataset.labels[ids]) == {int(episode.class_ids[0])}
    np.testing.assert_array_equal(episode.query_y, dataset.targets[episode.query_ids])
    assert episode.query_classes.tolist() == [0] * 5
    assert episode.support_classes.tolist() == [0] * 4


def test_a_regression_has_episodes_of_one_function_and_a_classification_has_not(make_dataset):
    with pytest.raises(ConfigError, match="a regression, has 1 function, got 5"):
        EpisodeSampler(linear(**SMALL), Protocol(5, 1, 1, 1), 0)
    with pytest.raises(ConfigError, match="a classification, has at least 2 classes, got 1"):
        EpisodeSampler(make_dataset([9, 9]), Protocol(1, 1, 1, 1), 0)
    with pytest.raises(DataError, match="needs 20 images per class"):
        EpisodeSampler(linear(**SMALL), Protocol(1, 10, 5, 5), 0)


@pytest.mark.parametrize(
    "changes",
    [{"functions": [1, 2]}, {"functions": [1, 0, 1]}, {"points": 1}, {"noise": -1.0}],
)
def test_numbers_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError, match="expected three"):
        sinusoid(**{**SMALL, **changes})
