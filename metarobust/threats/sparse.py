"""The l1 ball: exact projection on its intersection with a box, and sparse steps."""

import torch
from torch import Tensor


def project_l1_in_box(delta: Tensor, room: Tensor, radius: Tensor) -> Tensor:
    """The nearest point to `delta` of the l1 ball cut with a box.

    This is the Euclidean projection on both together (Croce & Hein, Mind the Box, ICML 2021,
    proposition 2.1): d_i = sign(delta_i) min(max(|delta_i| - s, 0), room_i), with the smallest
    threshold s >= 0 that keeps the budget. The length as a function of s is
    sum_j c_j max(t_j - s, 0) over the breakpoints t = |delta| (c = 1) and |delta| - room (c = -1),
    so sorting them gives s in closed form. Clamping after projecting on the ball alone would waste
    the budget spent outside the box.

    Args:
        delta: [*leading, D].
        room: how far each entry may go in its own direction, at least 0, [*leading, D].
        radius: [*leading, 1].

    >>> delta, room = torch.tensor([[0.9, 0.5, 0.0]]), torch.tensor([[0.25, 1.0, 1.0]])
    >>> project_l1_in_box(delta, room, torch.tensor([[0.5]]))
    tensor([[0.2500, 0.2500, 0.0000]])
    """
    size = delta.abs()
    breakpoints = torch.cat([size, size - room], -1).clamp(min=0)
    counts = torch.cat([torch.ones_like(size), -torch.ones_like(size)], -1)
    ordered, order = breakpoints.sort(dim=-1, descending=True)
    counts = counts.gather(-1, order)
    active, mass = counts.cumsum(-1), (counts * ordered).cumsum(-1)
    # Length if the threshold were each breakpoint; it grows as the threshold falls.
    affordable = (mass - active * ordered <= radius).sum(-1, keepdim=True)
    last = (affordable - 1).clamp(min=0)
    threshold = (mass.gather(-1, last) - radius) / active.gather(-1, last).clamp(min=1)
    kept = torch.minimum((size - threshold.clamp(min=0)).clamp(min=0), room)
    # Rounding may leave the sum a few ulps too long.
    length = kept.sum(-1, keepdim=True)
    shrink = torch.where(length > radius, radius / length.clamp(min=1e-30), 1.0)
    return delta.sign() * kept * shrink


def sparse_sign(gradient: Tensor, share: float) -> Tensor:
    """A step of l1 length 1 along the signs of the largest entries: SLIDE (Tramèr & Boneh 2019).

    The steepest l1 step moves one entry alone and needs as many steps as there are entries to move;
    spreading it evenly over a share of them trades a little steepness for many fewer steps.

    Args:
        gradient: [*leading, D].
        share: of the D entries, in (0, 1]; at least one moves. Zero entries never do.

    >>> sparse_sign(torch.tensor([[3.0, -4.0, 1.0, 0.0]]), 0.5)
    tensor([[ 0.5000, -0.5000,  0.0000,  0.0000]])
    """
    size = gradient.abs()
    count = max(1, round(share * size.shape[-1]))
    return _even_signs(gradient, size.topk(count, dim=-1).values[..., -1:])


def leading_sign(gradient: Tensor, count: Tensor) -> Tensor:
    """A step of l1 length 1 along the signs of the largest entries, how many differing by row.

    Args:
        gradient: [*leading, D].
        count: [*leading, 1], rounded down, 1 at least and D at most. Zero entries never move.

    >>> leading_sign(torch.tensor([[3.0, -4.0], [3.0, -4.0]]), torch.tensor([[1.0], [2.0]]))
    tensor([[ 0.0000, -1.0000],
            [ 0.5000, -0.5000]])
    """
    ordered = gradient.abs().sort(dim=-1, descending=True).values
    last = count.long().clamp(1, gradient.shape[-1]) - 1
    return _even_signs(gradient, ordered.gather(-1, last))


def _even_signs(gradient: Tensor, least: Tensor) -> Tensor:
    size = gradient.abs()
    chosen = (size >= least) & (size > 0)
    return gradient.sign() * chosen / chosen.sum(-1, keepdim=True).clamp(min=1)
