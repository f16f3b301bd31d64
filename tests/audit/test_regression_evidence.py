"""What is kept of a pictured function: its own points, all of them, on the curve they came from."""

from dataclasses import replace

import numpy as np
import pytest

from metarobust.audit.regression_evidence import function_points
from metarobust.core.errors import DataError
from metarobust.data.functions import sinusoid
from metarobust.data.sampler import EpisodeSampler, Protocol


@pytest.fixture(scope="module")
def data():
    return sinusoid(functions=(4, 3, 5), points=20)


@pytest.fixture(scope="module")
def episode(data):
    return EpisodeSampler(data, Protocol(ways=1, shots=6, queries=5), 0)[0]


def test_the_points_are_of_one_sinusoid_and_hold_those_of_the_episode(data, episode):
    found = function_points(episode, data)
    x = -5 + 10 * found["function_x"][:, 0].astype(np.float64)
    assert x.shape == (20,)
    # a sin(x - p) is linear in sin x and cos x.
    waves = np.stack([np.sin(x), np.cos(x)], axis=1)
    weights = np.linalg.lstsq(waves, found["function_y"], rcond=None)[0]
    np.testing.assert_allclose(waves @ weights, found["function_y"], atol=1e-4)
    points = set(zip(found["function_x"][:, 0], found["function_y"], strict=True))
    support = zip(episode.support_x[:, 0].numpy(), episode.support_y.numpy(), strict=True)
    assert set(support) < points


def test_classes_have_no_function(data, episode):
    with pytest.raises(DataError, match="sinusoid: expected a regression"):
        function_points(episode, replace(data, targets=None))
