"""Gradient-based learners against short independent versions of their papers, in float64."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from metarobust.core.engine import mean_gradient, stack_episodes
from metarobust.core.errors import ConfigError
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import (
    conv4_under_statistics_of,
    functional_conv4,
    textbook_conv4,
)

EPISODE = make_episode(4, dtype=torch.float64)


def learner_of(name, **options):
    learner = small_learner(name, norm_mode="batch", **options).double()
    source = torch.Generator().manual_seed(5)
    for key, parameter in learner.named_parameters():
        if key.startswith("rates"):
            nn.init.uniform_(parameter, -0.1, 0.5, generator=source)
    return learner


def logits(learner, episode=EPISODE):
    return learner(episode.support_x, episode.support_y, episode.query_x, 3)


def meta_loss(learner, episode=EPISODE):
    return learner.meta_loss(
        episode.support_x, episode.support_y, episode.query_x, episode.query_y, ways=3
    )


def weights_of(learner):
    return [*learner.backbone.parameters(), *learner.head.parameters()]


def inner_gradients(weights, x=EPISODE.support_x, y=EPISODE.support_y):
    loss = F.cross_entropy(functional_conv4(x, weights), y)
    return torch.autograd.grad(loss, weights, create_graph=True)


def test_maml_normalises_queries_by_the_support_set_seen_by_the_adapted_weights():
    learner = small_learner("maml").double()
    weights = weights_of(learner)
    for _ in range(learner.inner_steps):
        grads = inner_gradients(weights)
        weights = [w - learner.inner_rate * g for w, g in zip(weights, grads, strict=True)]
    *blocks, weight, bias = weights
    features = conv4_under_statistics_of(EPISODE.support_x, EPISODE.query_x, blocks)
    expected = features @ weight.T + bias
    torch.testing.assert_close(logits(learner), expected, rtol=1e-5, atol=1e-8)


def test_anil_moves_the_head_alone():
    learner = learner_of("anil")
    net = textbook_conv4(learner.backbone, training=True)
    support, queries = net(EPISODE.support_x).detach(), net(EPISODE.query_x)
    head = copy.deepcopy(learner.head)
    optimiser = torch.optim.SGD(head.parameters(), lr=learner.inner_rate)
    for _ in range(learner.inner_steps):
        optimiser.zero_grad()
        F.cross_entropy(head(support), EPISODE.support_y).backward()
        optimiser.step()
    torch.testing.assert_close(logits(learner), head(queries), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["maml", "fomaml", "anil", "reptile", "metasgd", "mamlpp"])
def test_without_inner_steps_the_initialisation_answers(name):
    learner = learner_of(name, inner_steps=0)
    net = textbook_conv4(learner.backbone, training=True)
    torch.testing.assert_close(logits(learner), learner.head(net(EPISODE.query_x)))
    others = EPISODE._replace(support_y=EPISODE.support_y.roll(1))
    assert torch.equal(logits(learner, others), logits(learner))


def test_the_multi_step_loss_without_steps_is_that_of_the_initialisation():
    learner = learner_of("mamlpp", inner_steps=0)
    expected = F.cross_entropy(logits(learner), EPISODE.query_y)
    torch.testing.assert_close(meta_loss(learner), expected)


def test_fomaml_is_first_order_maml():
    learners = (learner_of("fomaml").train(), learner_of("maml", first_order=True).train())
    gradients = [
        torch.autograd.grad(meta_loss(learner), list(learner.parameters())) for learner in learners
    ]
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_metasgd_has_a_rate_for_every_weight():
    learner = learner_of("metasgd")
    weights = weights_of(learner)
    for _ in range(learner.inner_steps):
        grads = inner_gradients(weights)
        weights = [w - r * g for w, r, g in zip(weights, learner.rates, grads, strict=True)]
    expected = functional_conv4(EPISODE.query_x, weights)
    torch.testing.assert_close(logits(learner), expected, rtol=1e-5, atol=1e-8)
    assert [r.shape for r in learner.rates] == [w.shape for w in weights_of(learner)]


def test_mamlpp_has_a_rate_for_every_layer_and_step_and_a_loss_after_each():
    learner = learner_of("mamlpp", inner_steps=3, rate_steps=2, multi_step=0.25)
    weights, losses = weights_of(learner), []
    for step in (0, 1, 1):
        grads = inner_gradients(weights)
        rates = learner.rates[step]
        weights = [w - r * g for w, r, g in zip(weights, rates, grads, strict=True)]
        losses.append(F.cross_entropy(functional_conv4(EPISODE.query_x, weights), EPISODE.query_y))
    expected = functional_conv4(EPISODE.query_x, weights)
    torch.testing.assert_close(logits(learner), expected, rtol=1e-5, atol=1e-8)
    expected_loss = 0.75 * losses[-1] + 0.25 * sum(losses) / 3
    torch.testing.assert_close(meta_loss(learner), expected_loss, rtol=1e-5, atol=1e-8)
    parameters = list(learner.parameters())
    actual = torch.autograd.grad(meta_loss(learner), parameters)
    for a, e in zip(actual, torch.autograd.grad(expected_loss, parameters), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-8)


def optimise(weights, rule, rate, batches):
    """Where torch's own optimiser leaves the weights after a step on each batch."""
    moved = [w.detach().clone().requires_grad_() for w in weights]
    optimiser = {
        "adam": lambda: torch.optim.Adam(moved, rate, betas=(0.0, 0.999)),
        "sgd": lambda: torch.optim.SGD(moved, rate),
    }[rule]()
    for x, y in batches:
        optimiser.zero_grad()
        F.cross_entropy(functional_conv4(x, moved), y).backward()
        optimiser.step()
    return [w.detach() for w in moved]


@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_reptile_adapts_by_torch_s_own_optimiser(rule):
    learner = learner_of("reptile", inner_optimiser=rule, inner_steps=4)
    batches = [(EPISODE.support_x, EPISODE.support_y)] * 4
    weights = optimise(weights_of(learner), rule, learner.inner_rate, batches)
    expected = functional_conv4(EPISODE.query_x, weights)
    torch.testing.assert_close(logits(learner), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("backend", ["loop", "vmap"])
def test_reptile_s_outer_step_interpolates_towards_where_the_tasks_end(rule, backend):
    learner = learner_of("reptile", inner_optimiser=rule).train()
    episodes = [make_episode(seed, dtype=torch.float64) for seed in (4, 5)]
    ends = []
    for episode in episodes:
        # Two support images and two queries of each class: the first step takes the former.
        batches = [(episode.support_x, episode.support_y), (episode.query_x, episode.query_y)]
        ends.append(optimise(weights_of(learner), rule, learner.inner_rate, batches))

    grads, _ = mean_gradient(
        learner, lambda e: meta_loss(learner, e), stack_episodes(episodes), backend=backend
    )
    rate = 0.3
    for (name, theta), one, other in zip(learner.named_parameters(), *ends, strict=True):
        expected = theta + rate * ((one + other) / 2 - theta)
        torch.testing.assert_close(theta - rate * grads[name], expected, rtol=1e-5, atol=1e-8)


def test_reptile_deals_each_image_once_and_each_class_evenly():
    learner = learner_of("reptile", train_steps=3)
    x = torch.arange(14.0).view(2, 7, 1)
    batches = learner.deal(x, torch.arange(2).repeat_interleave(7).view(2, 7))
    assert [b[0].flatten().tolist() for b in batches] == [
        [0, 1, 7, 8],
        [2, 3, 9, 10],
        [4, 5, 11, 12],
    ]
    assert all(b[1].tolist() == [0, 0, 1, 1] for b in batches)
    with pytest.raises(ConfigError, match="3 train_steps need as many images of each class, got 2"):
        learner.deal(x[:, :2], x[:, :2])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("maml", {"inner_steps": -1}, "expected inner_steps >= 0"),
        ("mamlpp", {"multi_step": 1.5}, r"expected multi_step in \[0, 1\]"),
        ("reptile", {"inner_optimiser": "adagrad"}, "expected one of adam, sgd, got 'adagrad'"),
        ("reptile", {"train_steps": 0}, "expected train_steps >= 1"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        small_learner(name, **options)


def test_learned_rates_are_told_by_name():
    rates = learner_of("mamlpp", rate_steps=2).learned()["rates"]
    assert len(rates["head.bias"]) == 2
    low, median, high = learner_of("metasgd").learned()["rates"]["backbone.blocks.0.weight"]
    assert low < median < high
