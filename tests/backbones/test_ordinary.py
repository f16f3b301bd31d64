"""An ordinary torch network as a backbone: the same numbers as torch's own, no buffer changed."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from metarobust.backbones.ordinary import OrdinaryBackbone, as_backbone
from metarobust.core.engine import map_episodes, stack_episodes
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import (
    NORM_MODES,
    BatchStatistics,
    FixedStatistics,
    RecordedStatistics,
    running_statistics,
)
from metarobust.learners.maml import MAML
from metarobust.learners.protonet import ProtoNet
from tests.support.episodes import make_episode

EPISODE = make_episode(3, dtype=torch.float64)
SHAPE = (1, 16, 16)


def torch_network(*, epsilon=1e-3):
    """Convolutions, one- and two-dimensional normalisation, dropout, an in-place ReLU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2),
            nn.BatchNorm2d(4, eps=epsilon),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(196, 6),
            nn.BatchNorm1d(6),
        )
        for layer in (net[1], net[6]):
            layer.running_mean.uniform_(-0.5, 0.5)
            layer.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, 0.1, 0.5)
    return net


def adapted():
    return OrdinaryBackbone(torch_network(), SHAPE).double()


def test_running_statistics_are_those_of_evaluation_mode():
    expected = torch_network().double().eval()(EPISODE.query_x)
    backbone = adapted()
    torch.testing.assert_close(backbone(EPISODE.query_x, running_statistics(backbone)), expected)


@pytest.mark.parametrize("twice", [False, True])
def test_batch_statistics_are_those_of_training_mode(twice):
    net = torch_network().double()
    net[4].p = 0.0
    expected = net.train()(EPISODE.query_x)
    actual = adapted()(EPISODE.query_x, BatchStatistics(twice=twice))
    torch.testing.assert_close(actual, expected)


def test_recorded_statistics_replay():
    backbone, recorded = adapted(), RecordedStatistics()
    first = backbone(EPISODE.support_x, recorded)
    again = backbone(EPISODE.support_x, FixedStatistics(recorded.moments))
    torch.testing.assert_close(again, first)


def test_its_features_are_counted_by_a_pass_that_leaves_the_moments():
    backbone = adapted()
    assert backbone.feature_dim == 6
    torch.testing.assert_close(backbone.net[1].mean, torch_network()[1].running_mean.double())


@pytest.mark.parametrize("cls", [ProtoNet, MAML])
@pytest.mark.parametrize("norm_mode", NORM_MODES)
def test_learners_take_it_in_every_norm_mode_and_leave_it_alone(cls, norm_mode):
    options = {"ways": 3, "inner_steps": 2} if cls is MAML else {}
    learner = cls(OrdinaryBackbone(torch_network(), SHAPE), norm_mode=norm_mode, **options)
    learner.double().train()
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    random = torch.get_rng_state()

    def logits(episode):
        return learner(episode.support_x, episode.support_y, episode.query_x, 3)

    block = stack_episodes([make_episode(seed, dtype=torch.float64) for seed in range(3)])
    loop = map_episodes(logits, block)
    mapped = map_episodes(logits, block, backend="vmap", chunk=2)
    torch.testing.assert_close(mapped, loop, rtol=1e-9, atol=1e-9)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random), "dropout is off"
    x = EPISODE.support_x.clone().requires_grad_()
    loss = F.cross_entropy(logits(EPISODE._replace(support_x=x)), EPISODE.query_y)
    (grad,) = torch.autograd.grad(loss, x)
    assert (cls is MAML) or (grad.flatten(1).abs().sum(1) > 0).all()


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(256)

    def forward(self, x):
        return self.norm(self.norm(x.flatten(1)))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(256)

    def forward(self, x):
        return x.flatten(1)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x.flatten(1)


class NeedsDimension(nn.Module):
    def forward(self, x, statistics):
        return x.flatten(1)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (lambda: "a network", "return a torch.nn.Module, got 'a network'"),
        (NeedsDimension, "needs an attribute feature_dim"),
        (lambda: nn.Conv2d(1, 2, 3), r"features \[n, d\], got \[2, 2, 14, 14\]; flatten"),
        (lambda: nn.Linear(3, 2), r"fails on inputs of shape \[2, 1, 16, 16\]: RuntimeError"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(256, affine=False)),
            "layer '1' has no weights; build it with affine=True",
        ),
        (Twice, "layer 'norm' is used 2 times"),
        (Unused, "layer 'norm' is used 0 times"),
        (Counting, "changes its buffer 'calls'"),
    ],
)
def test_what_cannot_be_honoured_is_refused(net, message):
    with pytest.raises(ConfigError, match=message):
        as_backbone(net(), SHAPE)
