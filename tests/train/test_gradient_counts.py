"""Gradient evaluations, as they are counted and as they happen."""

import pytest
import torch

from metarobust.config.objective import ObjectiveConfig
from metarobust.train.mixture import make_mixture
from tests.support.episodes import make_episode
from tests.support.training import SHAPE, flat_learner

PGD = {"eps": 0.05, "steps": 3}
MANY = PGD | {"restarts": 2, "loss": ["cross-entropy", "margin"]}
FAST = {"engine": "fgsm-rs", "eps": 0.05}


class Tallied(torch.autograd.Function):
    """The identity; every gradient that passes adds one to a tally."""

    @staticmethod
    def forward(ctx, x, tally):
        ctx.tally = tally
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.tally.append(1)
        return grad, None


@pytest.mark.parametrize("name", ["protonet", "maml"])
@pytest.mark.parametrize(
    ("objective", "count"),
    [
        ({"name": "episodic"}, 1),
        ({"name": "label-noise", "fraction": 0.5}, 1),
        ({"name": "aq", "attack": PGD}, 3 + 1),
        ({"name": "aq", "attack": MANY}, 3 * 2 * 2 + 1),
        ({"name": "as", "attack": PGD}, 3 + 1),
        ({"name": "as", "attack": MANY}, 3 * 2 * 2 + 1),
        ({"name": "adml", "attack": PGD}, 2 * (3 + 1)),
        ({"name": "r-maml", "attack": FAST}, 1 + 2),
        ({"name": "r-maml", "attack": PGD, "term": "kl"}, 3 + 3),
    ],
)
def test_as_many_gradients_are_taken_as_are_counted(monkeypatch, name, objective, count):
    learner, tally = flat_learner(name, norm_mode="support"), []
    adapt = learner.adapt

    def tallied(*args, **options):
        classify = adapt(*args, **options)
        return lambda x: Tallied.apply(classify(x), tally)

    monkeypatch.setattr(learner, "adapt", tallied)
    (found,) = make_mixture(ObjectiveConfig.model_validate(objective), 0).objectives
    episode = make_episode(shape=SHAPE, dtype=torch.float64)
    found.loss(learner, found.prepare(episode, 0)).backward()
    assert (len(tally), found.gradient_evaluations(3)) == (count, count)
