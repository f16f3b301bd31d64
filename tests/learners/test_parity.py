"""Learners against short independent versions of their papers, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import Normalisation
from metarobust.learners.maml import MAML
from tests.support.episodes import make_episode
from tests.support.learners import small_backbone, small_learner
from tests.support.textbook import conv4_under_statistics_of, textbook_conv4


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_protonet_is_the_textbook_one(mode):
    learner = small_learner("protonet", norm_mode=mode).double()
    episode = make_episode(4, dtype=torch.float64)
    net = textbook_conv4(learner.backbone, training=mode == "batch")
    support, queries = net(episode.support_x), net(episode.query_x)
    prototypes = torch.stack([support[episode.support_y == c].mean(0) for c in range(3)])
    expected = -(torch.cdist(queries, prototypes) ** 2)
    actual = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-8)


def test_protonet_may_normalise_queries_by_the_support_set():
    learner = small_learner("protonet", norm_mode="support").double()
    episode = make_episode(4, dtype=torch.float64)
    blocks = list(learner.backbone.parameters())
    support, queries = (
        conv4_under_statistics_of(episode.support_x, x, blocks)
        for x in (episode.support_x, episode.query_x)
    )
    prototypes = torch.stack([support[episode.support_y == c].mean(0) for c in range(3)])
    expected = -(torch.cdist(queries, prototypes) ** 2)
    actual = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-8)


def test_centroid_is_simpleshot_l2n():
    learner = small_learner("centroid").double()
    episode = make_episode(4, dtype=torch.float64)
    net = textbook_conv4(learner.backbone, training=False)
    support = F.normalize(net(episode.support_x))
    queries = F.normalize(net(episode.query_x))
    means = torch.stack([support[episode.support_y == c].mean(0) for c in range(3)])
    expected = -learner.scale * torch.cdist(queries, means) ** 2
    actual = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-8)


def test_maml_is_the_textbook_one():
    learner = small_learner("maml", norm_mode="batch").double()
    episode = make_episode(4, dtype=torch.float64)
    net = nn.Sequential(textbook_conv4(learner.backbone, training=True), nn.Linear(4, 3).double())
    with torch.no_grad():
        net[1].weight.copy_(learner.head.weight)
        net[1].bias.copy_(learner.head.bias)
    optimiser = torch.optim.SGD(net.parameters(), lr=learner.inner_rate)
    for _ in range(learner.inner_steps):
        optimiser.zero_grad()
        F.cross_entropy(net(episode.support_x), episode.support_y).backward()
        optimiser.step()
    actual = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    torch.testing.assert_close(actual, net(episode.query_x), rtol=1e-5, atol=1e-8)


def meta_loss(learner, episode):
    logits = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    return F.cross_entropy(logits, episode.query_y)


@pytest.mark.parametrize("norm_mode", ["support", "batch"])
def test_second_order_meta_gradient_equals_finite_differences(norm_mode):
    learner = small_learner("maml", norm_mode=norm_mode, inner_rate=0.5).double().train()
    episode = make_episode(6, dtype=torch.float64)
    weight = learner.backbone.blocks[0].weight
    (grad,) = torch.autograd.grad(meta_loss(learner, episode), weight)
    source = torch.Generator().manual_seed(0)
    direction = torch.randn(weight.shape, generator=source, dtype=torch.float64)
    h = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * h * direction)
            values.append(meta_loss(learner, episode).item())
            weight.sub_(sign * h * direction)
    numeric = (values[0] - values[1]) / (2 * h)
    assert (grad * direction).sum().item() == pytest.approx(numeric, rel=1e-4)


def test_first_order_training_ignores_second_derivatives():
    episode = make_episode(6, dtype=torch.float64)
    grads = {}
    for first_order in (False, True):
        learner = small_learner("maml", first_order=first_order, inner_rate=0.5).double().train()
        (grads[first_order],) = torch.autograd.grad(
            meta_loss(learner, episode), learner.head.weight
        )
    assert not torch.allclose(grads[False], grads[True], rtol=1e-3)


def test_fomaml_gradient_is_the_gradient_at_the_adapted_weights():
    # Finn et al. 2017, section 5.2: theta's gradient is the query gradient taken at theta_K.
    learner = small_learner("maml", first_order=True, norm_mode="batch").double().train()
    episode = make_episode(6, dtype=torch.float64)
    (grad,) = torch.autograd.grad(meta_loss(learner, episode), learner.head.weight)
    net = nn.Sequential(textbook_conv4(learner.backbone, training=True), nn.Linear(4, 3).double())
    with torch.no_grad():
        net[1].weight.copy_(learner.head.weight)
        net[1].bias.copy_(learner.head.bias)
    optimiser = torch.optim.SGD(net.parameters(), lr=learner.inner_rate)
    for _ in range(learner.inner_steps):
        optimiser.zero_grad()
        F.cross_entropy(net(episode.support_x), episode.support_y).backward()
        optimiser.step()
    optimiser.zero_grad()
    F.cross_entropy(net(episode.query_x), episode.query_y).backward()
    torch.testing.assert_close(grad, net[1].weight.grad, rtol=1e-5, atol=1e-9)


def test_maml_refuses_other_ways():
    with pytest.raises(ConfigError, match="its head is for 5 ways, got an episode of 3"):
        meta_loss(MAML(small_backbone(), ways=5), make_episode())


def test_folded_statistics_equal_separate_normalisation():
    from metarobust.core.normalisation import running_statistics

    backbone = small_backbone().double()
    x = make_episode(1, dtype=torch.float64).query_x
    expected = textbook_conv4(backbone, training=False)(x)
    torch.testing.assert_close(backbone(x, running_statistics(backbone)), expected)
    assert sum(isinstance(m, Normalisation) for m in backbone.modules()) == 4
