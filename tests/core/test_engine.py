"""The two backends of the engine agree, and its gradients are those of autograd."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from metarobust.core.engine import gradient, map_episodes, mean_gradient, stack_episodes
from metarobust.learners.maml import MAML
from metarobust.learners.protonet import ProtoNet
from tests.support.episodes import make_episode
from tests.support.learners import small_backbone


def block(count=3):
    return stack_episodes([make_episode(seed, dtype=torch.float64) for seed in range(count)])


def learners():
    for mode in ("running", "support", "batch"):
        yield ProtoNet(small_backbone(), norm_mode=mode).double()
        maml = MAML(small_backbone(), ways=3, inner_steps=2, norm_mode=mode).double()
        nn.init.normal_(maml.head.weight, generator=torch.Generator().manual_seed(1))
        yield maml


ids = [f"{name}-{mode}" for mode in ("running", "support", "batch") for name in ("proto", "maml")]


@pytest.mark.parametrize("learner", list(learners()), ids=ids)
@pytest.mark.parametrize("chunk", [1, 2, 8])
def test_vmap_equals_loop_in_float64_for_logits(learner, chunk):
    def logits(episode):
        return learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)

    with torch.no_grad():
        loop = map_episodes(logits, block())
        mapped = map_episodes(logits, block(), backend="vmap", chunk=chunk)
    torch.testing.assert_close(mapped, loop, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("learner", list(learners()), ids=ids)
def test_vmap_equals_loop_in_float64_for_meta_gradients(learner):
    def loss(episode):
        logits = learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)
        return F.cross_entropy(logits, episode.query_y)

    loop, loop_values = mean_gradient(learner, loss, block())
    mapped, mapped_values = mean_gradient(learner, loss, block(), backend="vmap", chunk=2)
    torch.testing.assert_close(mapped_values, loop_values, rtol=1e-10, atol=1e-10)
    for name, grad in loop.items():
        torch.testing.assert_close(mapped[name], grad, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("learner", list(learners()), ids=ids)
def test_vmap_equals_loop_in_float64_through_adaptation(learner, first_order):
    def poison_gradient(episode):
        def objective(x):
            classify = learner.adapt(x, episode.support_y, ways=3, first_order=first_order)
            return F.cross_entropy(classify(episode.query_x), episode.query_y)

        return gradient(objective, episode.support_x)[0]

    loop = map_episodes(poison_gradient, block())
    mapped = map_episodes(poison_gradient, block(), backend="vmap", chunk=2)
    assert loop.abs().max() > 0
    torch.testing.assert_close(mapped, loop, rtol=1e-8, atol=1e-10)


def test_gradient_of_a_closed_form():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    grad, value = gradient(lambda v: (v**3).sum(), x)
    assert value.item() == 9.0
    assert grad.tolist() == [3.0, 12.0]
    assert not grad.requires_grad


def test_gradient_is_zero_where_the_function_does_not_look():
    grads, _ = gradient(lambda tree: tree["a"].sum(), {"a": torch.ones(2), "b": torch.ones(3)})
    assert grads["b"].tolist() == [0, 0, 0]


def test_an_outer_gradient_passes_through_an_inner_one():
    # d/dx (d/dw (w x)^2 / 2 at w = 3) = d/dx (3 x^2) = 6 x
    def outer(x):
        w = torch.tensor(3.0, dtype=torch.float64)
        inner, _ = gradient(lambda v: (v * x) ** 2 / 2, w, create_graph=True)
        return inner

    grad, value = gradient(outer, torch.tensor(2.0, dtype=torch.float64))
    assert (value.item(), grad.item()) == (12.0, 12.0)


def test_mean_gradient_leaves_the_module_alone():
    learner = ProtoNet(small_backbone())
    before = {k: v.clone() for k, v in learner.state_dict().items()}

    def loss(episode):
        logits = learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)
        return F.cross_entropy(logits, episode.query_y)

    single = stack_episodes([make_episode(0)])
    mean_gradient(learner, loss, single)
    assert all(p.grad is None for p in learner.parameters())
    assert all(torch.equal(before[k], v) for k, v in learner.state_dict().items())
