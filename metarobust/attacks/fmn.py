"""The fast minimum-norm attack: how far each query is from another answer."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Objective, Perturbation
from metarobust.attacks.climb import FromTheCleanPoint, climber, zero_share
from metarobust.core.engine import gradient
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget
from metarobust.threats.losses import LossName

_DUAL: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}
_FINAL_GAMMA = 0.001


@ENGINES.register("fmn")
@dataclass(frozen=True)
class FMN(FromTheCleanPoint):
    """Fast minimum-norm (Pintor et al., NeurIPS 2021, algorithm 1), with a radius for each query.

    Gradient steps of a Euclidean length that falls from `rate` to a hundredth by a cosine are
    projected on a ball whose radius follows the boundary: while no misclassified point is known,
    (1 + gamma) times the distance to the linearised boundary; then (1 - gamma) times itself where
    the prediction is wrong, (1 + gamma) times itself where it is right; gamma falls by a cosine.

    The search ignores the budget's radius; the point it returns is projected on it. The loss must
    be zero on a boundary, as margins are; a targeted margin heads for one class at a time, as FAB-T
    does (Croce & Hein 2020).

    Attributes:
        rate: first step, in Euclidean pixel units.
        gamma: first relative change of the radius.
    """

    rate: float = 1.0
    gamma: float = 0.05

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")
    losses: ClassVar[tuple[LossName, ...]] = ("margin", "targeted-margin")
    seeks_radius: ClassVar[bool] = True

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        climb, dual = climber(objective), replace(ball, norm=_DUAL[ball.norm])
        corner = torch.where(x < 0.5, 1.0, 0.0)
        farthest = ball.norm_of(corner - x)
        point, nearest, path, zeros = x, x, [], []
        radius = smallest = torch.full_like(farthest, torch.inf)
        for step in range(budget.steps):
            grad, (_, judged) = gradient(climb, point, has_aux=True)
            path.append(judged.loss)
            zeros.append(zero_share(grad, ball))
            wrong = (judged.score > 0).view(radius.shape)
            length = ball.norm_of(point - x)
            nearer = wrong & (length < smallest)
            smallest = torch.where(nearer, length, smallest)
            nearest = torch.where(nearer, point, nearest)
            anneal = (1 + math.cos(math.pi * step / budget.steps)) / 2
            gamma = _FINAL_GAMMA + (self.gamma - _FINAL_GAMMA) * anneal
            gap = judged.loss.abs().view(radius.shape) / dual.norm_of(grad).clamp(min=1e-30)
            # (1 + gamma) here too, beyond the paper: where the boundary is exactly linear, stepping
            # precisely onto it would never cross it.
            known = torch.where(smallest < torch.inf, radius, length + gap)
            outwards = known * (1 + gamma)
            inwards = torch.minimum(radius * (1 - gamma), smallest)
            radius = torch.minimum(torch.where(wrong, inwards, outwards), farthest)
            rate = self.rate * (0.01 + 0.99 * anneal)
            unit = replace(ball, norm="l2", radius=torch.ones_like(radius))
            moved = point + unit.ascend(grad, rate)
            point = replace(ball, radius=radius).project(moved, x)
        with torch.no_grad():
            last = objective(point)
            path.append(last.loss)
            length = ball.norm_of(point - x)
            nearer = (last.score > 0).view(radius.shape) & (length < smallest)
            smallest = torch.where(nearer, length, smallest)
            inside = ball.project(torch.where(nearer, point, nearest), x)
            best = Best(inside, objective(inside).score)
        return Perturbation(
            best.x,
            best.score,
            torch.stack(path),
            torch.stack(zeros).mean(0),
            radius=smallest.flatten(),
        )
