"""The l1 projection against its optimality conditions and an independent solver."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from metarobust.threats.ball import Ball
from metarobust.threats.sparse import project_l1_in_box, sparse_sign

seeds = st.integers(0, 10_000)
radii = st.sampled_from([0.0, 1e-3, 0.3, 1.0, 3.0, 20.0])


def problem(seed, size=12, images=3):
    source = torch.Generator().manual_seed(seed)
    centre = torch.rand(images, size, generator=source, dtype=torch.float64)
    centre = torch.where(centre < 0.2, 0.0, torch.where(centre > 0.8, 1.0, centre))  # on the walls
    far = centre + torch.randn(images, size, generator=source, dtype=torch.float64)
    return centre, far


@settings(max_examples=60, deadline=None)
@given(seeds, radii)
def test_no_feasible_point_is_nearer(seed, radius):
    # The projection p of w is the one point with <w - p, q - p> <= 0 for all q in the convex set;
    # a linear function of q is largest at a vertex, and all vertices of the set are points with
    # entries at a wall or at the centre but for one: random ones of these are tried.
    centre, far = problem(seed)
    ball = Ball("l1", torch.full((3, 1), radius, dtype=torch.float64), image_axes=1)
    p = ball.project(far, centre)
    source = torch.Generator().manual_seed(seed + 1)
    for _ in range(50):
        order = torch.rand(centre.shape, generator=source).argsort(1)
        signs = torch.randint(0, 2, centre.shape, generator=source).double()
        room = (signs - centre).abs().gather(1, order)
        spent = torch.minimum(room, (radius - (room.cumsum(1) - room)).clamp(min=0))
        step = torch.zeros_like(centre).scatter(1, order, spent)
        vertex = centre + step * (2 * signs - 1)
        assert (((far - p) * (vertex - p)).sum(1) <= 1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_a_general_solver(seed):
    centre, far = problem(seed, size=5, images=1)
    ball = Ball("l1", torch.full((1, 1), 0.4, dtype=torch.float64), image_axes=1)
    ours = ball.project(far, centre)[0].numpy()
    c, w = centre[0].numpy(), far[0].numpy()
    # x = c + u - v with u, v >= 0 makes the constraint linear and the problem smooth.
    found = minimize(
        lambda z: ((c + z[:5] - z[5:] - w) ** 2).sum(),
        [0.0] * 10,
        bounds=[(0, 1 - a) for a in c] + [(0, a) for a in c],
        constraints={"type": "ineq", "fun": lambda z: 0.4 - z.sum()},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert c + found.x[:5] - found.x[5:] == pytest.approx(ours, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_without_walls_it_is_soft_thresholding_that_spends_the_whole_budget(seed):
    _, delta = problem(seed)
    room, radius = torch.full_like(delta, 100.0), torch.full((3, 1), 0.5, dtype=torch.float64)
    projected = project_l1_in_box(delta, room, radius)
    torch.testing.assert_close(projected.abs().sum(1), radius[:, 0].clamp(max=delta.abs().sum(1)))
    removed = (delta - projected).abs()
    threshold = removed.amax(1, keepdim=True)
    torch.testing.assert_close(
        projected.abs(), (delta.abs() - threshold).clamp(min=0), rtol=0, atol=1e-12
    )


def test_a_sparse_step_has_length_one_and_skips_walls():
    gradient = torch.tensor([[5.0, -4.0, 3.0, 0.0]])
    assert sparse_sign(gradient, 0.5).abs().sum() == 1
    assert sparse_sign(torch.zeros(1, 4), 0.5).abs().sum() == 0
    ball = Ball("l1", torch.tensor([[2.0]]), image_axes=1)
    at = torch.tensor([[1.0, 0.0, 0.5, 0.5]])
    assert ball.ascend(gradient, 0.5, at).tolist() == [[0, 0, 1.0, 0]]
    assert ball.ascend(gradient, 0.5).tolist() == [[1.0, 0, 0, 0]]
