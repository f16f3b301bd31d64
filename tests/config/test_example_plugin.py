"""The one-file plug-in does what its text says, on an objective whose maximum is known."""

import importlib.util

import pytest
import torch

from metarobust.attacks.base import Judged
from metarobust.config.loading import bundled_folder
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget

EPS = 0.1
WEIGHTS = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 3.0, 2.0]], dtype=torch.float64)
CENTRE = torch.full((2, 3), 0.5, dtype=torch.float64)
CLEAN = (WEIGHTS * CENTRE).sum(1)


@pytest.fixture
def engine():
    path = bundled_folder("recipe") / "examples" / "random_sign.py"
    spec = importlib.util.spec_from_file_location("example_plugin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RandomSign()


def search(engine, steps):
    def objective(x):
        value = (WEIGHTS * x).sum(1)
        return Judged(value, value)

    budget = Budget("linf", EPS, steps=steps)
    ball = Ball("linf", torch.full((2, 1), EPS, dtype=torch.float64), image_axes=1)
    draws = engine.draw((2, 3), budget, torch.Generator().manual_seed(0))
    return engine.maximise(objective, CENTRE, ball, budget, draws)


def test_it_finds_the_best_corner_of_a_linear_objective(engine):
    found = search(engine, steps=200)
    torch.testing.assert_close(found.score, CLEAN + EPS * WEIGHTS.abs().sum(1))
    torch.testing.assert_close(found.x, CENTRE + EPS * WEIGHTS.sign())


def test_it_keeps_the_worst_point_it_saw_and_stays_in_the_ball(engine):
    found = search(engine, steps=3)
    assert found.path.shape == (4, 2)
    torch.testing.assert_close(found.path[0], CLEAN)
    torch.testing.assert_close(found.score, found.path.amax(0))
    assert (found.x - CENTRE).abs().max() <= EPS + 1e-12
    assert engine.gradient_calls(Budget("linf", EPS)) == 0
