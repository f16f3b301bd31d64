"""Auto-PGD: projected gradient ascent that chooses its own step sizes."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Judged, Objective, Perturbation
from metarobust.attacks.climb import FromRandomStarts, climber, zero_share
from metarobust.core.engine import gradient
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget


def checkpoints(steps: int) -> list[int]:
    """After how many steps the step size is reconsidered (Croce & Hein 2020, section 3.1).

    The first period is 22 % of the steps, each following one 3 % shorter, none under 6 %; rounded
    down, as in the authors' code.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    period, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    found: list[int] = []
    reached = period
    while reached <= steps:
        found.append(reached)
        period = max(period - shorter, shortest)
        reached += period
    return found


class _Climb(NamedTuple):
    """Where one restart of a search stands; every field has a leading unit axis.

    Attributes:
        point: the current point, whose gradient is `grad`.
        previous: the point before it.
        grad: gradient of the loss at `point`.
        loss: loss of the last step, which is what the next one must exceed to count as a rise.
        top: the point of largest loss so far.
        top_grad: gradient there.
        top_loss: loss there.
        rate: step size in radii [U, 1, ..., 1].
        rises: steps since the last checkpoint that raised the loss.
        top_before: largest loss at the last checkpoint.
        was_halved: whether the step size was halved there.
    """

    point: Tensor
    previous: Tensor
    grad: Tensor
    loss: Tensor
    top: Tensor
    top_grad: Tensor
    top_loss: Tensor
    rate: Tensor
    rises: Tensor
    top_before: Tensor
    was_halved: Tensor


@ENGINES.register("apgd")
@dataclass(frozen=True)
class APGD(FromRandomStarts):
    """Auto-PGD (Croce & Hein, ICML 2020, algorithm 1), keeping the worst point seen.

    z = P(x_t + rate * v(grad)),
    x_{t+1} = P(x_t + momentum * (z - x_t) + (1 - momentum) * (x_t - x_{t-1})).
    The step starts at twice the radius. At every checkpoint it is halved, and the search goes back
    to the point of largest loss, for each unit whose loss rose in too few of the steps since the
    last one, or whose largest loss has not grown although the step was kept there.

    Attributes:
        rho: the share of rising steps that keeps the step size.
        momentum: weight of the new step against the last.
    """

    rho: float = 0.75
    momentum: float = 0.75

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        climb, reviews = climber(objective), checkpoints(budget.steps)
        with torch.no_grad():
            clean = objective(x)
        best, path, zeros = Best(x, clean.score), [clean.loss], []
        for draw in draws:
            # Published starts lie on the sphere of the norm, for linf too.
            unit = draw / ball.norm_of(draw).clamp(min=1e-30)
            start = ball.project(x + ball.spread(unit), x)
            grad, (_, judged) = gradient(climb, start, has_aux=True)
            state, since = _begin(start, grad, judged), 0
            best = best.challenged_by(start, judged.score)
            path.append(judged.loss)
            zeros.append(zero_share(grad, ball))
            for step in range(1, budget.steps + 1):
                moved = self._step(state, x, ball, first=step == 1)
                if step < budget.steps:
                    grad, (_, judged) = gradient(climb, moved, has_aux=True)
                    zeros.append(zero_share(grad, ball))
                else:
                    with torch.no_grad():
                        judged = objective(moved)
                best = best.challenged_by(moved, judged.score)
                path.append(judged.loss)
                state = _advance(state, moved, grad, judged)
                if step in reviews:
                    state = self._reconsider(state, step - since)
                    since = step
        return Perturbation(best.x, best.score, torch.stack(path), torch.stack(zeros).mean(0))

    def _step(self, state: _Climb, centre: Tensor, ball: Ball, *, first: bool) -> Tensor:
        straight = ball.project(state.point + ball.ascend(state.grad, state.rate), centre)
        weight = 1.0 if first else self.momentum
        inertia = (1 - weight) * (state.point - state.previous)
        return ball.project(state.point + weight * (straight - state.point) + inertia, centre)

    def _reconsider(self, state: _Climb, period: int) -> _Climb:
        oscillates = state.rises <= self.rho * period
        stalls = ~state.was_halved & (state.top_before >= state.top_loss)
        halve = oscillates | stalls
        wide = halve.view(state.rate.shape)
        return state._replace(
            point=torch.where(wide, state.top, state.point),
            grad=torch.where(wide, state.top_grad, state.grad),
            rate=torch.where(wide, state.rate / 2, state.rate),
            rises=torch.zeros_like(state.rises),
            top_before=state.top_loss,
            was_halved=halve,
        )


def _begin(start: Tensor, grad: Tensor, judged: Judged) -> _Climb:
    loss = judged.loss
    return _Climb(
        point=start,
        previous=start,
        grad=grad,
        loss=loss,
        top=start,
        top_grad=grad,
        top_loss=loss,
        rate=torch.full_like(loss, 2.0).view(-1, *(1,) * (start.ndim - 1)),
        rises=torch.zeros_like(loss),
        top_before=loss,
        was_halved=torch.ones_like(loss, dtype=torch.bool),
    )


def _advance(state: _Climb, moved: Tensor, grad: Tensor, judged: Judged) -> _Climb:
    higher = judged.loss > state.top_loss
    wide = higher.view(state.rate.shape)
    return state._replace(
        point=moved,
        previous=state.point,
        grad=grad,
        loss=judged.loss,
        top=torch.where(wide, moved, state.top),
        top_grad=torch.where(wide, grad, state.top_grad),
        top_loss=torch.where(higher, judged.loss, state.top_loss),
        rises=state.rises + (judged.loss > state.loss),
    )
