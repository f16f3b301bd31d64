"""One perturbation for all queries, learned where nothing is scored."""

import pytest
import torch

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.universal import UniversalAttack
from metarobust.attacks.pgd import PGD
from metarobust.audit.carry_out import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.core.errors import AttackError, ConfigError
from metarobust.threats.budget import Budget
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.stub_learners import Fixed

EPS = 0.05


def attack(**budget):
    return UniversalAttack(PGD(), Budget("linf", EPS, **{"steps": 20, **budget}), episodes=3)


def elsewhere(count=3, **shape):
    return [make_episode(100 + seed, **shape) for seed in range(count)]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_against_one_linear_boundary_it_is_the_closed_form(norm):
    # All queries have one label, so the best single direction is the best for each of them.
    weight = torch.randn(2, 256, generator=torch.Generator().manual_seed(0))
    learner = Fixed(weight, torch.zeros(2)).requires_grad_(False)
    tasks = [
        task._replace(query_x=0.3 + 0.4 * task.query_x, query_y=torch.zeros(4, dtype=torch.int64))
        for task in elsewhere(ways=2)
    ]
    threat = UniversalAttack(
        PGD(), Budget(norm, EPS, steps=40, losses=("margin",)), episodes=len(tasks)
    ).learn(learner, tasks, 0, 1.0)
    slope = (weight[1] - weight[0]).view(1, 16, 16)
    best = EPS * slope.norm(p={"linf": 1, "l2": 2}[norm])
    torch.testing.assert_close((threat.learned.delta * slope).sum(), best, rtol=1e-3, atol=0)
    assert threat.learned.end > threat.learned.start


def test_every_query_of_every_episode_gets_the_same():
    learner = small_learner("protonet").requires_grad_(False)
    threat = attack().learn(learner, elsewhere(), 0, 1.0)
    middle = [
        task._replace(query_x=0.3 + 0.4 * task.query_x)
        for task in (make_episode(), make_episode(1))
    ]
    found = carry_out(threat, learner, middle, 0, 1.0)
    deltas = found.query_x - torch.stack([task.query_x for task in middle])
    torch.testing.assert_close(deltas, threat.learned.delta.expand_as(deltas), atol=1e-6, rtol=0)
    assert found.budget_used.max() <= EPS * (1 + 1e-5)


def test_it_follows_its_seed_and_leaves_the_learner_alone():
    learner = small_learner("maml").requires_grad_(False)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    one, two, other = (attack().learn(learner, elsewhere(), seed, 1.0) for seed in (0, 0, 1))
    assert torch.equal(one.learned.delta, two.learned.delta)
    assert not torch.equal(one.learned.delta, other.learned.delta)
    assert all(torch.equal(value, before[key]) for key, value in learner.state_dict().items())


def test_it_must_have_learned():
    learner = small_learner("protonet").requires_grad_(False)
    with pytest.raises(AttackError, match="learn a perturbation"):
        carry_out(attack(), learner, [make_episode()], 0, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": 0}, "whole number of at least 1, got 0"),
        ({"engine": "fmn"}, "one engine within the budget, got options.engine fmn"),
        ({"engine": "episode-autoattack"}, "one engine within the budget"),
        ({"engine": "pgd", "random_strat": True}, "did you mean 'random_start'"),
    ],
)
def test_mistaken_options_are_refused(options, message):
    recipe = load_recipe("universal-linf").model_copy(update={"options": options})
    with pytest.raises(ConfigError, match=message):
        build_threat(recipe)
