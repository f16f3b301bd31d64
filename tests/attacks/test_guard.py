"""Nothing a toolkit does near a learner survives the guard."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from metarobust.attacks.guard import FrozenClassifier, guarded


def learner() -> nn.Module:
    """A network in a state no toolkit would restore: mixed modes, gradients and frozen weights."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 3)
    )
    net.train()
    net[1].eval()
    net[4].eval()
    net[0].bias.requires_grad_(False)
    net[0].weight.grad = torch.ones_like(net[0].weight)
    return net


def footprint(net: nn.Module) -> list[object]:
    """Everything the guard promises to leave alone."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [
        [module.training for module in net.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.tolist()) for p in net.parameters()],
        {name: tensor.tolist() for name, tensor in net.state_dict().items()},
        torch.get_rng_state().tolist(),
        (kind, keys.tolist(), rest),
        random.getstate(),
    ]


def misbehave(net: nn.Module) -> None:
    """What toolkits were seen to do."""
    net.train()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    net(torch.rand(4, 1, 8, 8, requires_grad=True)).sum().backward()
    net[0].bias.requires_grad_(True)
    net[1].weight.grad = torch.ones_like(net[1].weight)
    print("Attack mode is changed to 'default.'")  # noqa: T201


def test_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    net = learner()
    grad = net[0].weight.grad
    before = footprint(net)
    with guarded(net):
        misbehave(net)
        assert footprint(net) != before
    assert footprint(net) == before
    assert net[0].weight.grad is grad
    assert capsys.readouterr().out == ""


def test_leaves_no_trace_after_an_exception() -> None:
    net = learner()
    before = footprint(net)

    def fail_midway() -> None:
        with guarded(net, seed=1):
            misbehave(net)
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert footprint(net) == before


def test_inside_parameters_ask_for_no_gradient_and_hold_none() -> None:
    net = learner()
    with guarded(net):
        assert not any(p.requires_grad for p in net.parameters())
        assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("seed", [0, 2**62 + 5])
def test_seed_sets_every_global_generator(seed: int) -> None:
    def draws() -> list[float]:
        return [torch.rand(()).item(), np.random.rand(), random.random()]  # noqa: NPY002

    with guarded(nn.Identity(), seed=seed):
        first = draws()
    outside = draws()
    with guarded(nn.Identity(), seed=seed):
        assert draws() == first
    assert outside != first


def test_frozen_classifier_shows_no_learner_and_no_mode() -> None:
    net = learner()
    flags = [module.training for module in net.modules()]
    frozen = FrozenClassifier(net)
    assert list(frozen.modules()) == [frozen]
    assert [name for name, _ in frozen.named_parameters()] == ["dummy"]
    assert frozen.train() is frozen
    assert frozen.eval() is frozen
    assert not frozen.training
    assert [module.training for module in net.modules()] == flags


@settings(deadline=None)
@given(shift=st.floats(-1000, 1000), scale=st.floats(0.1, 100), seed=st.integers(0, 100))
def test_frozen_logits_keep_probabilities_margins_and_gradients(
    shift: float, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    x = torch.rand(6, 3, 2, 2, generator=generator, dtype=torch.float64).requires_grad_()
    y = torch.arange(6) % 5

    def classifier(x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) @ weight + shift) * scale

    frozen = FrozenClassifier(classifier, scale=scale)(x)
    plain = x.flatten(1) @ weight
    assert torch.equal(frozen.argmax(1), plain.argmax(1))
    torch.testing.assert_close(frozen.amin(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(frozen.softmax(1), plain.softmax(1))
    (found,) = torch.autograd.grad(F.cross_entropy(frozen, y), x)
    (expected,) = torch.autograd.grad(F.cross_entropy(plain, y), x)
    torch.testing.assert_close(found, expected)


def test_gradient_is_contiguous_behind_a_channels_last_network() -> None:
    net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    (raw,) = torch.autograd.grad(net(x).sum(), x)
    assert not raw.is_contiguous()
    (found,) = torch.autograd.grad(FrozenClassifier(lambda x: net(x).flatten(1))(x).sum(), x)
    assert found.is_contiguous()
