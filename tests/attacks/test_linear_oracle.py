"""On a linear classifier the exact distance to the boundary bounds every attack from both sides."""

import pytest
import torch

from metarobust.attacks.catalogue import ENGINES
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget
from tests.support.linear import LinearProblem


def fooled(engine, problem, norm, factor, loss, *, steps, step_size):
    """Which points are misclassified under a budget of `factor` times their exact distance."""
    radius = (problem.distance(norm) * factor).view(-1, 1, 1, 1)
    budget = Budget(norm, eps=1.0, steps=steps, step_size=step_size)
    draws = engine.draw(tuple(problem.x.shape), budget, torch.Generator().manual_seed(0))
    ball = Ball(norm, radius)
    found = engine.maximise(problem.objective(loss), problem.x, ball, budget, draws.double())
    assert (ball.norm_of(found.x - problem.x) <= radius * (1 + 1e-9)).all()
    return problem.logits(found.x).argmax(1) != problem.y


CASES = {
    "fgsm": {"steps": 1, "step_size": 1.0},
    "fgsm-rs": {"steps": 1, "step_size": 1.25},
    "pgd": {"steps": 60, "step_size": 0.1},
    "noise": {"steps": 0, "step_size": 1.0},
}


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("ways", [2, 3, 5, 20])
@pytest.mark.parametrize("name", CASES)
def test_nothing_succeeds_below_the_distance(name, ways, norm, loss):
    problem = LinearProblem.random(ways, seed=ways)
    assert not fooled(ENGINES[name](), problem, norm, 0.98, loss, **CASES[name]).any()


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_with_two_classes_every_attack_succeeds_above_the_distance(name, norm, loss):
    problem = LinearProblem.random(2)
    assert fooled(ENGINES[name](), problem, norm, 1.02, loss, **CASES[name]).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("ways", [3, 5, 20])
def test_the_better_of_the_two_losses_succeeds_above_the_distance(ways, norm):
    # Untargeted ascent heads for the runner-up, which with many classes need not be the nearest
    # boundary; the two losses together find it for nearly all points just above the distance, and
    # for all of them a little further out.
    problem = LinearProblem.random(ways, seed=ways)
    engine = ENGINES["pgd"]()

    def either(factor):
        return torch.stack(
            [
                fooled(engine, problem, norm, factor, loss, **CASES["pgd"])
                for loss in ("cross-entropy", "margin")
            ]
        ).any(0)

    assert either(1.02).double().mean() >= 0.8
    assert either(1.3).all()


def test_fgsm_is_the_closed_form_for_two_classes():
    # x + eps sign(w_other - w_y): the exact linf optimum of a linear two-class problem.
    problem = LinearProblem.random(2)
    engine = ENGINES["fgsm"]()
    budget = Budget("linf", eps=0.01, steps=1, step_size=1.0)
    ball = Ball("linf", torch.full((len(problem.x), 1, 1, 1), 0.01, dtype=torch.float64))
    draws = engine.draw(tuple(problem.x.shape), budget, torch.Generator().manual_seed(0))
    objective = problem.objective("cross-entropy")
    found = engine.maximise(objective, problem.x, ball, budget, draws.double())
    direction = (problem.weight[1 - problem.y] - problem.weight[problem.y]).sign()
    torch.testing.assert_close(found.x, problem.x + 0.01 * direction.view_as(problem.x))
