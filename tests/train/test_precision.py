"""Half precision: a gradient that points the same way, and an evaluation it does not touch."""

import pytest
import torch

from metarobust.backbones.conv4 import Conv4
from metarobust.learners.catalogue import LEARNERS

SHAPE = (1, 16, 16)


def learner(name):
    options = {"ways": 3, "inner_steps": 2, "inner_rate": 0.1} if name == "maml" else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LEARNERS[name](Conv4(SHAPE, width=16), **options)


def episode():
    source = torch.Generator().manual_seed(0)
    means = torch.rand(3, *SHAPE, generator=source).repeat_interleave(4, 0)
    x = (means + 0.1 * torch.randn(12, *SHAPE, generator=source)).clamp(0, 1)
    return x, torch.arange(3).repeat_interleave(4), x.flip(-1).clone()


def gradient(name, precision):
    model = learner(name).train()
    model.precision = precision
    x, y, _ = episode()
    loss = model.meta_loss(x[::2], y[::2], x[1::2], y[1::2], ways=3)
    assert loss.dtype == torch.float32
    found = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([part.flatten() for part in found])


@pytest.mark.parametrize("name", ["protonet", "ridge", "maml"])
def test_the_meta_gradient_points_the_same_way(name):
    full, half = gradient(name, torch.float32), gradient(name, torch.bfloat16)
    assert half.dtype == torch.float32
    assert not torch.equal(full, half), "the backbone computed in half precision"
    assert torch.cosine_similarity(full, half, dim=0) > 0.9


@pytest.mark.parametrize("name", ["protonet", "maml"])
def test_evaluation_is_in_full_precision(name):
    model, (x, y, queries) = learner(name).eval(), episode()
    before = model(x, y, queries, 3)
    model.precision = torch.bfloat16
    assert torch.equal(model(x, y, queries, 3), before)
