"""ResNet-12 against the same network of torch's own layers, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from metarobust.backbones.resnet12 import ResNet12
from metarobust.core.engine import map_episodes, stack_episodes
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import (
    BatchStatistics,
    FixedStatistics,
    Normalisation,
    RecordedStatistics,
    running_statistics,
)
from metarobust.learners.maml import MAML
from metarobust.learners.protonet import ProtoNet
from tests.support.episodes import make_episode


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = ResNet12((1, 16, 16), width=2).double()
        for layer in net.modules():
            if isinstance(layer, Normalisation):
                layer.mean.uniform_(-0.5, 0.5)
                layer.variance.uniform_(0.5, 2.0)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
    return net


def textbook(net, x, *, training):
    for block in net.blocks:

        def normalised(x, layer):
            norm, kernel = layer.norm, layer.weight.permute(0, 3, 1, 2)
            x = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
            return F.batch_norm(
                x, norm.mean.clone(), norm.variance.clone(), norm.weight, norm.bias, training
            )

        y = F.leaky_relu(normalised(x, block.first), 0.1)
        y = F.leaky_relu(normalised(y, block.second), 0.1)
        y = normalised(y, block.third)
        y = y + normalised(x, block.shortcut)
        x = F.max_pool2d(F.leaky_relu(y, 0.1), 2)
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


@pytest.mark.parametrize("size", [16, 17, 28])
def test_it_is_the_textbook_network(net, size):
    x = make_episode(1, shape=(1, size, size), dtype=torch.float64).query_x
    expected = textbook(net, x, training=False)
    torch.testing.assert_close(net(x, running_statistics(net)), expected, rtol=1e-5, atol=1e-9)
    expected = textbook(net, x, training=True)
    torch.testing.assert_close(net(x, BatchStatistics()), expected, rtol=1e-5, atol=1e-9)
    assert expected.shape == (6, net.feature_dim) == (6, 20)


def test_every_normalisation_layer_has_its_slot(net):
    x = make_episode(1, dtype=torch.float64).query_x
    recorded = RecordedStatistics()
    moved = net(x, recorded)
    slots = sorted(m.slot for m in net.modules() if isinstance(m, Normalisation))
    assert slots == list(range(16))
    assert len(recorded.moments) == 16
    again = net(x, FixedStatistics(recorded.moments))
    torch.testing.assert_close(again, moved, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", ["running", "support", "batch"])
@pytest.mark.parametrize("learner", [ProtoNet, MAML])
def test_learners_map_over_it(net, learner, mode):
    options = {"ways": 3, "inner_steps": 1} if learner is MAML else {}
    model = learner(net, norm_mode=mode, **options).double().eval()
    episodes = [make_episode(seed, dtype=torch.float64) for seed in range(2)]

    def logits(episode):
        return model(episode.support_x, episode.support_y, episode.query_x, 3)

    with torch.no_grad():
        loop = map_episodes(logits, stack_episodes(episodes))
        mapped = map_episodes(logits, stack_episodes(episodes), backend="vmap")
    torch.testing.assert_close(mapped, loop, rtol=1e-9, atol=1e-9)


def test_moments_are_kept_by_slot_whatever_the_order_of_calls(net):
    # A shortcut may well be written before the branch beside it.
    x = make_episode(1, dtype=torch.float64).query_x
    recorded = RecordedStatistics()
    net.blocks[0].shortcut(x, recorded)
    net.blocks[0].first(x, recorded)
    (first, _), (shortcut, _) = recorded.moments
    for mean, layer in ((first, net.blocks[0].first), (shortcut, net.blocks[0].shortcut)):
        kernel = layer.weight.permute(0, 3, 1, 2)
        pixels = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
        torch.testing.assert_close(mean, pixels.mean((0, 2, 3)))


def test_gradients_in_the_images_are_right(net):
    x = make_episode(1, ways=2, queries=1, dtype=torch.float64).query_x.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: net(x, BatchStatistics(twice=True)), x, fast_mode=True
    )


def test_small_images_are_refused():
    with pytest.raises(ConfigError, match=r"at least 16x16, got \[1, 8, 8\]"):
        ResNet12((1, 8, 8))
