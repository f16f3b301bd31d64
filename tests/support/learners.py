"""Small learners of every registered kind."""

import torch
from torch import nn

from metarobust.backbones.conv4 import Conv4
from metarobust.backbones.mlp import MLP
from metarobust.core.normalisation import Normalisation
from metarobust.learners.catalogue import LEARNERS
from metarobust.learners.gradient_learner import GradientLearner


def small_backbone(kind: str = "conv4", shape: tuple[int, ...] = (1, 16, 16)) -> nn.Module:
    """A tiny backbone whose running moments are not the initial zeros and ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Conv4(shape, width=4) if kind == "conv4" else MLP(shape, width=8, depth=2)
        for module in net.modules():
            if isinstance(module, Normalisation):
                module.mean.uniform_(-0.5, 0.5)
                module.variance.uniform_(0.5, 2.0)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, 0.1, 0.5)
    return net


def small_learner(name: str, ways: int = 3, **options):
    """A tiny learner of a registered kind, with a head that tells classes apart."""
    cls = LEARNERS[name]
    if issubclass(cls, GradientLearner):
        options = {"ways": ways, "inner_steps": 2, **options}
    if name == "reptile":
        options = {"train_steps": 2, "inner_rate": 0.01, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        learner = cls(small_backbone(), **options)
    for key, parameter in learner.named_parameters():
        if key.startswith("head"):
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    return learner.eval()
