"""What every registered learner must do, whatever its family."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from metarobust.core.engine import gradient, map_episodes, mean_gradient, stack_episodes
from metarobust.core.errors import ConfigError
from metarobust.core.jsonio import canonical_json
from metarobust.core.normalisation import NORM_MODES
from metarobust.learners.catalogue import LEARNERS
from tests.support.derivatives import assert_slope
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

every_learner = pytest.mark.parametrize("name", list(LEARNERS))
every_mode = pytest.mark.parametrize("norm_mode", NORM_MODES)


OTHER_META_GRADIENTS = ("fomaml", "reptile")
"""Their papers' meta-gradients leave something out; see the parity tests."""


def inputs(episode):
    return episode.support_x, episode.support_y, episode.query_x, episode.query_y


def logits(learner, episode, support_x=None, query_x=None):
    support_x = episode.support_x if support_x is None else support_x
    query_x = episode.query_x if query_x is None else query_x
    return learner.adapt(support_x, episode.support_y, ways=episode.ways)(query_x)


@every_learner
@every_mode
def test_adapting_and_classifying_leave_the_state_bit_identical(name, norm_mode, episode):
    learner = small_learner(name, norm_mode=norm_mode)
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    logits(learner, episode)
    learner.train()
    logits(learner, episode)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())


@every_learner
@every_mode
def test_logits_are_finite_one_row_a_query(name, norm_mode, episode):
    out = logits(small_learner(name, norm_mode=norm_mode), episode)
    assert out.shape == (len(episode.query_y), episode.ways)
    assert torch.isfinite(out).all()


@every_learner
@every_mode
def test_a_query_sees_its_neighbours_only_under_batch_statistics(name, norm_mode, episode):
    learner = small_learner(name, norm_mode=norm_mode).double()
    double = make_episode(dtype=torch.float64)
    with torch.no_grad():
        together = logits(learner, double)
        alone = torch.cat([logits(learner, double, query_x=q[None]) for q in double.query_x])
    same = torch.allclose(together, alone, rtol=1e-9, atol=1e-9)
    assert same == (not learner.transductive)


@every_learner
@every_mode
def test_adaptation_is_differentiable_in_the_support_images(name, norm_mode):
    learner = small_learner(name, norm_mode=norm_mode).double()
    if not learner.differentiable:
        pytest.skip("declares itself not differentiable")
    episode = make_episode(1, dtype=torch.float64)

    def loss(support_x):
        return F.cross_entropy(logits(learner, episode, support_x), episode.query_y)

    x = episode.support_x.clone().requires_grad_()
    assert_slope(lambda: loss(x), [x])
    (grad,) = torch.autograd.grad(loss(x), x)
    assert (grad.flatten(1).abs().sum(1) > 0).all(), "every support image matters"


@pytest.mark.parametrize("name", [n for n in LEARNERS if n not in OTHER_META_GRADIENTS])
@every_mode
def test_the_meta_gradient_is_that_of_the_meta_loss(name, norm_mode):
    learner = small_learner(name, norm_mode=norm_mode).double().train()
    episode = make_episode(6, dtype=torch.float64)

    def loss():
        return learner.meta_loss(*inputs(episode), ways=episode.ways)

    used = torch.autograd.grad(loss(), list(learner.parameters()), allow_unused=True)
    leaves = [p for p, g in zip(learner.parameters(), used, strict=True) if g is not None]
    assert_slope(loss, leaves)


@every_learner
def test_transduction_is_off_by_default(name):
    assert not small_learner(name).transductive


@every_learner
def test_constants_and_graphs_give_the_same_logits(name):
    learner, double = small_learner(name).double(), make_episode(dtype=torch.float64)
    with torch.no_grad():
        constant = logits(learner, double)
    assert not constant.requires_grad
    torch.testing.assert_close(logits(learner, double).detach(), constant, rtol=1e-9, atol=1e-9)


@every_learner
def test_a_class_that_lost_its_images_is_survived(name, episode):
    learner = small_learner(name)
    noisy = episode._replace(support_y=torch.zeros_like(episode.support_y))
    assert torch.isfinite(logits(learner, noisy)).all()


@every_learner
def test_the_order_of_the_support_set_does_not_matter(name):
    learner = small_learner(name).double()
    episode = make_episode(2, dtype=torch.float64)
    order = torch.randperm(len(episode.support_y), generator=torch.Generator().manual_seed(0))
    shuffled = episode._replace(
        support_x=episode.support_x[order], support_y=episode.support_y[order]
    )
    torch.testing.assert_close(logits(learner, shuffled), logits(learner, episode))


def block(count=3):
    return stack_episodes([make_episode(seed, dtype=torch.float64) for seed in range(count)])


@every_learner
def test_vmap_equals_loop_for_logits(name):
    learner = small_learner(name).double()
    with torch.no_grad():
        loop = map_episodes(partial(logits, learner), block())
        mapped = map_episodes(partial(logits, learner), block(), backend="vmap", chunk=2)
    torch.testing.assert_close(mapped, loop, rtol=1e-9, atol=1e-9)


@every_learner
def test_vmap_equals_loop_for_meta_gradients(name):
    learner = small_learner(name).double().train()

    def loss(episode):
        return learner.meta_loss(*inputs(episode), ways=episode.ways)

    loop, losses = mean_gradient(learner, loss, block())
    mapped, mapped_losses = mean_gradient(learner, loss, block(), backend="vmap", chunk=2)
    torch.testing.assert_close(mapped_losses, losses, rtol=1e-9, atol=1e-9)
    assert any(grad.abs().max() > 0 for grad in loop.values())
    for key, grad in loop.items():
        torch.testing.assert_close(mapped[key], grad, rtol=1e-7, atol=1e-9, msg=key)


@every_learner
@pytest.mark.parametrize("first_order", [False, True])
def test_vmap_equals_loop_for_poisoning_gradients(name, first_order):
    learner = small_learner(name).double()
    if not learner.differentiable:
        pytest.skip("declares itself not differentiable")

    def poison_gradient(episode):
        def objective(x):
            classify = learner.adapt(x, episode.support_y, ways=3, first_order=first_order)
            return F.cross_entropy(classify(episode.query_x), episode.query_y)

        return gradient(objective, episode.support_x)[0]

    loop = map_episodes(poison_gradient, block())
    mapped = map_episodes(poison_gradient, block(), backend="vmap", chunk=2)
    torch.testing.assert_close(mapped, loop, rtol=1e-7, atol=1e-9)


@every_learner
def test_what_it_says_it_learned_is_json(name):
    canonical_json(small_learner(name).learned())


@every_learner
def test_an_unknown_norm_mode_is_refused(name):
    with pytest.raises(ConfigError, match="expected one of running, support, batch, got 'trains'"):
        small_learner(name, norm_mode="trains")
