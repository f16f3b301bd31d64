"""Auto-PGD for the l1 ball, whose steps choose how many entries to move."""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Objective, Perturbation
from metarobust.attacks.climb import FromRandomStarts, climber, zero_share
from metarobust.core.engine import gradient
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget

SPARSER = 1.5
"""By how much fewer entries a step moves than the best perturbation so far has changed."""

SHRINK, LEAST_RATE = 1.5, 0.1
FIRST_SHARE = 0.2
STILL = 0.95
"""Share of its changed entries that the best perturbation keeps where it has settled."""


def phases(steps: int) -> list[tuple[int, int]]:
    """Radii, as multiples of the budget's, and the steps each is searched for.

    >>> phases(100)
    [(3, 30), (2, 30), (1, 40)]
    """
    early = int(0.3 * steps)
    return [(factor, n) for factor, n in ((3, early), (2, early), (1, steps - 2 * early)) if n]


class _Climb(NamedTuple):
    """Where one phase stands.

    Attributes:
        point: the current point.
        grad: gradient of the loss there.
        top: the point of largest loss in this phase.
        top_grad: gradient there.
        top_loss: loss there [U].
        rate: step length in radii, for each image.
        changed: entries in which `top` differed from the centre at the last review, each image.
        entries: how many of them a step moves.
    """

    point: Tensor
    grad: Tensor
    top: Tensor
    top_grad: Tensor
    top_loss: Tensor
    rate: Tensor
    changed: Tensor
    entries: Tensor


@ENGINES.register("apgd-l1")
@dataclass(frozen=True)
class APGDL1(FromRandomStarts):
    """Auto-PGD on an l1 ball cut with [0, 1] (Croce & Hein, Mind the Box, ICML 2021).

    A step moves the k entries of largest gradient by equal amounts, one radius in all at first, and
    is projected exactly on ball and range together. Every 4 % of the steps k becomes the number of
    entries changed by the point of largest loss, over 1.5. Where that number fell by more than 5 %
    since the last review, the step goes back to one radius and the search to that point; elsewhere
    the step shrinks by 1.5, to a tenth of a radius at least. The first 30 % of the steps search a
    ball of three radii and the next 30 % one of two, from whose best points the last ones start.

    As `pgd` does, and beyond the paper, a step passes over entries already at the wall of [0, 1]
    that they head for: most entries of a binary image are at a wall.
    """

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("l1",)

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        climb = climber(objective)
        with torch.no_grad():
            clean = objective(x)
        best, path, zeros = Best(x, clean.score), [clean.loss], []
        for draw in draws:
            entries = torch.full_like(ball.norm_of(x), FIRST_SHARE * x[0].numel())
            point = x + phases(budget.steps)[0][0] * ball.spread(draw)
            for factor, steps in phases(budget.steps):
                wide = replace(ball, radius=factor * ball.radius)
                point = wide.project(point, x)
                grad, (_, judged) = gradient(climb, point, has_aux=True)
                if factor == 1:
                    best = best.challenged_by(point, judged.score)
                zeros.append(zero_share(grad, ball))
                path.append(judged.loss)
                rate = torch.ones_like(entries)
                changed = torch.full_like(entries, torch.inf)
                state = _Climb(point, grad, point, grad, judged.loss, rate, changed, entries)
                for step in range(1, steps + 1):
                    ascent = wide.ascend(state.grad, state.rate, state.point, state.entries)
                    moved = wide.project(state.point + ascent, x)
                    if step < steps:
                        grad, (_, judged) = gradient(climb, moved, has_aux=True)
                        zeros.append(zero_share(grad, ball))
                    else:
                        with torch.no_grad():
                            judged = objective(moved)
                    if factor == 1:
                        best = best.challenged_by(moved, judged.score)
                    path.append(judged.loss)
                    state = _advance(state, moved, grad, judged.loss)
                    if step % max(int(0.04 * steps), 1) == 0:
                        state = _review(state, x, ball)
                point, entries = state.top, _changed(state.top, x, ball) / SPARSER
        return Perturbation(best.x, best.score, torch.stack(path), torch.stack(zeros).mean(0))


def _changed(point: Tensor, centre: Tensor, ball: Ball) -> Tensor:
    """How many entries of each image differ from the centre's."""
    axes = tuple(range(-ball.image_axes, 0))
    return (point != centre).to(point.dtype).sum(axes, keepdim=True)


def _advance(state: _Climb, moved: Tensor, grad: Tensor, loss: Tensor) -> _Climb:
    higher = loss > state.top_loss
    wide = higher.view(-1, *(1,) * (moved.ndim - 1))
    return state._replace(
        point=moved,
        grad=grad,
        top=torch.where(wide, moved, state.top),
        top_grad=torch.where(wide, grad, state.top_grad),
        top_loss=torch.where(higher, loss, state.top_loss),
    )


def _review(state: _Climb, centre: Tensor, ball: Ball) -> _Climb:
    changed = _changed(state.top, centre, ball)
    fell = changed < STILL * state.changed
    return state._replace(
        point=torch.where(fell, state.top, state.point),
        grad=torch.where(fell, state.top_grad, state.grad),
        rate=torch.where(fell, 1.0, (state.rate / SHRINK).clamp(min=LEAST_RATE)),
        changed=changed,
        entries=changed / SPARSER,
    )
