"""Each episode of a mixture draws its objective by weight, from its own seed."""

import pytest
import torch

from metarobust.config.objective import ObjectiveConfig
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import derive_seed
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.train.mixture import make_mixture
from metarobust.train.objectives import AdversarialQuery, Clean
from metarobust.train.ranks import Alone
from metarobust.train.step import meta_gradient
from metarobust.train.stream import Episodic
from tests.support.training import flat_learner, quadrants

AQ = {"name": "aq", "attack": {"eps": 0.1, "steps": 2}}
HALVES = {"name": "mixture", "parts": [{"name": "episodic", "weight": 3}, AQ | {"weight": 1}]}
CPU = torch.device("cpu")


def mixture(config, seed=0):
    return make_mixture(ObjectiveConfig.model_validate(config), seed)


def test_parts_are_drawn_by_weight():
    drawn = [place for i in range(500) for place in mixture(HALVES).drawn(i, 4)]
    # 2000 draws: a standard deviation of sqrt(.25 * .75 / 2000) = 0.0097.
    assert sum(drawn) / len(drawn) == pytest.approx(0.25, abs=0.04)


def test_a_draw_is_that_of_its_iteration_and_task():
    assert mixture(HALVES).drawn(7, 6)[:3] == mixture(HALVES).drawn(7, 3)
    assert mixture(HALVES).drawn(7, 40) != mixture(HALVES, seed=1).drawn(7, 40)
    assert mixture(HALVES, 3).task_seed(7, 2) == derive_seed(3, "train", 7, 2)


def test_an_iteration_costs_what_its_tasks_cost():
    found = mixture(HALVES)
    assert [objective.gradient_evaluations(3) for objective in found.objectives] == [1, 3]
    for i in range(10):
        drawn = found.drawn(i, 4)
        assert found.gradient_evaluations(i, 4, 3) == drawn.count(0) + 3 * drawn.count(1)


def test_names_become_objectives():
    assert mixture({"name": "episodic"}).objectives == (Clean(),)
    (aq,) = mixture(AQ).objectives
    assert isinstance(aq, AdversarialQuery)
    assert (aq.threat.budget.eps, aq.threat.budget.steps) == (0.1, 2)
    with pytest.raises(ConfigError, match="unknown corruption 'contrsat': did you mean 'contrast'"):
        mixture({"name": "corruption", "corruption": "contrsat", "severity": 1})


def test_the_gradient_of_a_mixture_is_the_mean_over_its_tasks():
    dataset, learner = quadrants(), flat_learner("protonet").float()
    protocol = Protocol(ways=3, shots=2, queries=2, attacker_queries=0, split="train")
    stream = Episodic(learner, EpisodeSampler(dataset, protocol, 0), 4, mixture(HALVES))
    iteration = next(i for i in range(20) if len(set(stream.mixture.drawn(i, 4))) == 2)
    found, loss = meta_gradient(stream, iteration, ranks=Alone(CPU), backend="loop")
    losses = []
    for task, place in enumerate(stream.mixture.drawn(iteration, 4)):
        objective = stream.mixture.objectives[place]
        episode = stream.sampler[4 * iteration + task]
        prepared = objective.prepare(episode, derive_seed(0, "train", iteration, task))
        losses.append(objective.loss(learner, prepared))
    mean = torch.stack(losses).mean()
    expected = torch.autograd.grad(mean, list(learner.parameters()))
    assert loss == pytest.approx(float(mean.detach()), rel=1e-6)
    for key, gradient in zip(found, expected, strict=True):
        torch.testing.assert_close(found[key], gradient, rtol=1e-4, atol=1e-6)
