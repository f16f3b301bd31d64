"""Projections: in the ball, in the range, idempotent, and exactly as strong as they should be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.threats.ball import NORMS, Ball, standard_draws

norms = st.sampled_from(NORMS)
seeds = st.integers(0, 10_000)
eps_values = st.sampled_from([0.0, 1e-3, 8 / 255, 0.1, 0.5, 1.0])


def setup(norm, seed, eps, images=4, shape=(1, 3, 3)):
    source = torch.Generator().manual_seed(seed)
    centre = torch.rand(images, *shape, generator=source, dtype=torch.float64)
    far = centre + torch.randn(images, *shape, generator=source, dtype=torch.float64)
    radius = torch.full((images, 1, 1, 1), eps, dtype=torch.float64)
    return Ball(norm, radius), centre, far


@settings(max_examples=50, deadline=None)
@given(norms, seeds, eps_values)
def test_projection_is_in_the_ball_in_the_range_and_idempotent(norm, seed, eps):
    ball, centre, far = setup(norm, seed, eps)
    x = ball.project(far, centre)
    assert (ball.norm_of(x - centre) <= eps * (1 + 1e-12) + 1e-15).all()
    assert x.min() >= 0
    assert x.max() <= 1
    torch.testing.assert_close(ball.project(x, centre), x, rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(norms, seeds, st.sampled_from([8 / 255, 0.1, 0.5]))
def test_a_point_already_inside_is_not_moved(norm, seed, eps):
    ball, centre, far = setup(norm, seed, eps)
    inside = centre + (ball.project(far, centre) - centre) * 0.5
    torch.testing.assert_close(ball.project(inside, centre), inside, rtol=0, atol=1e-15)


@settings(max_examples=50, deadline=None)
@given(norms, seeds, eps_values)
def test_images_do_not_see_each_other(norm, seed, eps):
    ball, centre, far = setup(norm, seed, eps)
    single = Ball(norm, ball.radius[:1])
    for i in range(len(far)):
        alone = single.project(far[i : i + 1], centre[i : i + 1])
        assert torch.equal(ball.project(far, centre)[i : i + 1], alone)
        assert torch.equal(ball.ascend(far, 0.3)[i : i + 1], single.ascend(far[i : i + 1], 0.3))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_l2_projection_on_the_ball_is_the_nearest_point(seed):
    # Away from the walls of [0, 1] the projection has the closed form c + eps d / |d|.
    source = torch.Generator().manual_seed(seed)
    centre = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)
    delta = torch.randn(1, 1, 2, 2, generator=source, dtype=torch.float64)
    ball = Ball("l2", torch.full((1, 1, 1, 1), 0.1, dtype=torch.float64))
    expected = centre + 0.1 * delta / delta.norm() if delta.norm() > 0.1 else centre + delta
    torch.testing.assert_close(ball.project(centre + delta, centre), expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_ascend_is_the_steepest_step_of_its_length(norm):
    gradient = torch.tensor([[[[3.0, -4.0]]]])
    ball = Ball(norm, torch.full((1, 1, 1, 1), 0.5))
    expected = [0.5, -0.5] if norm == "linf" else [0.3, -0.4]
    assert ball.ascend(gradient, 1.0).flatten().tolist() == pytest.approx(expected)
    assert ball.ascend(torch.zeros_like(gradient), 1.0).abs().sum() == 0


def test_a_masked_image_stays_put():
    centre = torch.rand(1, 3, 1, 2, 2)
    ball = Ball("linf", torch.tensor([0.2, 0.0, 0.2]).view(1, 3, 1, 1, 1))
    moved = ball.project(centre + 1, centre)
    assert torch.equal(moved[0, 1], centre[0, 1])
    assert not torch.equal(moved[0, 0], centre[0, 0])


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_are_in_the_ball_and_reach_its_edge(norm):
    draws = standard_draws(norm, (500, 1, 4, 4), torch.Generator().manual_seed(0))
    ball = Ball(norm, torch.full((500, 1, 1, 1), 0.1))
    lengths = ball.norm_of(ball.spread(draws))
    assert lengths.max() <= 0.1 * (1 + 1e-6)
    assert lengths.mean() > 0.09
