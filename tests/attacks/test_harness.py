"""The harness keeps budgets, trusts nothing, and is blind to the scale of the logits."""

import pytest
import torch
from torch import nn

from metarobust.attacks.base import Perturbation
from metarobust.attacks.catalogue import ENGINES
from metarobust.attacks.harness import attack_queries, attack_queries_externally, attack_support
from metarobust.threats.budget import Budget
from metarobust.threats.losses import margin_loss
from metarobust.threats.scale import logit_scale
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

EPS = 0.1


def adapter(learner, episode, transform=lambda z: z):
    def adapt(support_x):
        classify = learner.adapt(support_x, episode.support_y, ways=episode.ways)
        return lambda x: transform(classify(x))

    return adapt


def draws_for(engine, x, budget, axis=None):
    source = torch.Generator().manual_seed(0)
    draws = torch.stack([engine.draw(tuple(x.shape), budget, source) for _ in budget.losses])
    draws = draws.to(x.dtype)
    return draws if axis is None else draws.unsqueeze(axis)


def on_queries(learner, episode, budget, name="pgd", joint=False, transform=lambda z: z, scale=1.0):
    engine = ENGINES[name]()
    draws = draws_for(engine, episode.query_x, budget, -5 if joint else None)
    adapt = adapter(learner, episode, transform)
    return attack_queries(engine, adapt, episode, budget, draws, scale=scale, joint=joint)


def on_support(learner, episode, budget, mask=None, name="pgd"):
    engine = ENGINES[name]()
    mask = torch.ones(len(episode.support_y), dtype=torch.bool) if mask is None else mask
    draws = draws_for(engine, episode.support_x, budget, -5)
    adapt = adapter(learner, episode)
    return attack_support(engine, adapt, episode, budget, draws, scale=1.0, mask=mask)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["noise", "fgsm", "fgsm-rs", "pgd"])
@pytest.mark.parametrize("learner_name", ["protonet", "maml"])
def test_budget_and_range_on_both_surfaces(learner_name, name, norm, episode):
    learner = small_learner(learner_name)
    budget = Budget(norm, EPS, steps=3, restarts=2, step_size=0.5)
    axes = (1, 2, 3)
    for attacked, clean, touched in (
        (on_queries(learner, episode, budget, name), episode.query_x, "query_x"),
        (on_support(learner, episode, budget, name=name), episode.support_x, "support_x"),
    ):
        x = getattr(attacked, touched)
        delta = x - clean
        size = delta.abs().amax(axes) if norm == "linf" else delta.flatten(1).norm(dim=1)
        assert size.max() <= EPS * (1 + 1e-5)
        assert x.min() >= 0
        assert x.max() <= 1
        assert attacked.budget_used == pytest.approx(size.max().item(), rel=1e-5)


@pytest.mark.parametrize("learner_name", ["protonet", "maml", "centroid"])
def test_zero_budget_is_identity(learner_name, episode):
    learner = small_learner(learner_name)
    budget = Budget("linf", 0.0, steps=2, restarts=2)
    assert torch.equal(on_queries(learner, episode, budget).query_x, episode.query_x)
    assert torch.equal(on_support(learner, episode, budget).support_x, episode.support_x)


def test_attacks_leave_the_learner_alone(episode):
    learner = small_learner("maml")
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    budget = Budget("linf", EPS, steps=2)
    on_queries(learner, episode, budget)
    on_support(learner, episode, budget)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in learner.parameters())


@pytest.mark.parametrize(
    "transform",
    [lambda z: z * 300, lambda z: z / 300, lambda z: z + 1000],
    ids=["x300", "/300", "+1000"],
)
@pytest.mark.parametrize("learner_name", ["protonet", "maml", "centroid"])
def test_robust_set_ignores_scale_and_shift_of_the_logits(learner_name, transform):
    learner = small_learner(learner_name, ways=5).double()
    budget = Budget("linf", 0.005, steps=10)
    robust = {"plain": [], "transformed": []}
    for seed in range(4):
        episode = make_episode(seed, ways=5, queries=4, dtype=torch.float64)
        for kind, change in (("plain", lambda z: z), ("transformed", transform)):
            adapt = adapter(learner, episode, change)
            with torch.no_grad():
                scale = logit_scale(adapt(episode.support_x)(episode.query_x))
            found = on_queries(learner, episode, budget, transform=change, scale=scale)
            logits = adapter(learner, episode)(episode.support_x)(found.query_x)
            robust[kind].append(margin_loss(logits, episode.query_y) <= 0)
    plain, transformed = torch.cat(robust["plain"]), torch.cat(robust["transformed"])
    assert torch.equal(plain, transformed)
    assert 0 < plain.double().mean() < 1, "the budget should break some queries and not others"


def test_only_masked_support_images_are_touched(episode):
    learner = small_learner("protonet")
    mask = torch.tensor([True, False, False, True, False, False])
    attacked = on_support(learner, episode, Budget("linf", EPS, steps=3), mask)
    changed = (attacked.support_x != episode.support_x).flatten(1).any(1)
    assert torch.equal(changed, mask)


@pytest.mark.parametrize("learner_name", ["protonet", "maml", "centroid"])
def test_poisoning_raises_the_loss_on_the_attackers_queries(learner_name, episode):
    learner = small_learner(learner_name)
    attacked = on_support(learner, episode, Budget("linf", EPS, steps=10, step_size=0.1))
    assert attacked.objective_end > attacked.objective_start
    assert attacked.zero_gradients < 0.5


def test_batch_statistics_make_the_episode_one_unit(episode):
    learner = small_learner("protonet", norm_mode="batch")
    attacked = on_queries(learner, episode, Budget("linf", EPS, steps=5), joint=True)
    adapt = adapter(learner, episode)
    with torch.no_grad():
        clean = margin_loss(adapt(episode.support_x)(episode.query_x), episode.query_y)
        after = margin_loss(adapt(episode.support_x)(attacked.query_x), episode.query_y)
    assert (after > 0).sum() >= (clean > 0).sum()


def test_an_engine_that_leaves_its_budget_is_projected_back(episode):
    class Cheat:
        version, norms, adversarial, differentiates = 1, ("linf",), True, False

        def maximise(self, objective, x, ball, budget, draws):
            judged = objective(x)
            zeros = torch.zeros_like(judged.score)
            return Perturbation(torch.ones_like(x) * 7, judged.score + 9, judged.loss[None], zeros)

    learner = small_learner("protonet")
    adapt = adapter(learner, episode)
    budget = Budget("linf", EPS)
    draws = torch.zeros(2, 1)
    found = attack_queries(Cheat(), adapt, episode, budget, draws, scale=1.0, joint=False)
    assert (found.query_x - episode.query_x).abs().max() <= EPS * (1 + 1e-6)
    assert found.query_x.max() <= 1


def test_an_engine_that_works_in_place_does_not_move_its_own_centre(episode):
    class InPlace:
        version, norms, adversarial, differentiates = 1, ("linf",), True, False

        def maximise(self, objective, x, ball, budget, draws):
            x.add_(0.4)
            judged = objective(x)
            zeros = torch.zeros_like(judged.score)
            return Perturbation(x, judged.score + 9, judged.loss[None], zeros)

    learner = small_learner("protonet")
    clean = episode.query_x.clone()
    adapt = adapter(learner, episode)
    budget = Budget("linf", EPS)
    draws = torch.zeros(2, 1)
    found = attack_queries(InPlace(), adapt, episode, budget, draws, scale=1.0, joint=False)
    assert torch.equal(episode.query_x, clean)
    assert (found.query_x - clean).abs().max() <= EPS * (1 + 1e-6)


def test_a_third_party_attack_that_helps_the_learner_is_not_kept(episode):
    learner = small_learner("protonet")
    adapt = adapter(learner, episode)
    with torch.no_grad():
        clean = margin_loss(adapt(episode.support_x)(episode.query_x), episode.query_y)
    for shift in (-0.05, 0.05):
        found = attack_queries_externally(
            lambda classify, shift=shift: episode.query_x + shift,
            adapt,
            episode,
            Budget("linf", EPS),
            scale=1.0,
            joint=False,
        )
        with torch.no_grad():
            after = margin_loss(adapt(episode.support_x)(found.query_x), episode.query_y)
        assert (after >= clean).all()


def test_support_gradient_equals_finite_differences():
    learner = small_learner("maml").double()
    nn.init.normal_(learner.head.weight, generator=torch.Generator().manual_seed(5))
    episode = make_episode(3, dtype=torch.float64)

    def loss(x):
        logits = adapter(learner, episode)(x)(episode.attacker_x)
        return nn.functional.cross_entropy(logits, episode.attacker_y)

    x = episode.support_x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x), x)
    direction = torch.randn(
        x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    h = 1e-6
    with torch.enable_grad():
        numeric = (loss(x + h * direction) - loss(x - h * direction)) / (2 * h)
    assert (grad * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-4)
