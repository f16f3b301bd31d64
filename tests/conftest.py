"""What every test shares: one thread and a small episode."""

import pytest
import torch

from metarobust.core.episode import Episode
from tests.support.episodes import make_episode


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def episode() -> Episode:
    return make_episode()
