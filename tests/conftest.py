"""What every test shares: one thread and a small episode."""

import pytest
import torch
from hypothesis import HealthCheck, settings

from metarobust.core.episode import Episode
from tests.support.episodes import make_episode

# How long a machine takes is no property of the code: no example has a limit, nor has its making.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def episode() -> Episode:
    return make_episode()
