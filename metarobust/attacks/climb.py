"""What gradient engines share: how they start, an objective made differentiable, zeros counted."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import Judged, Objective
from metarobust.threats.ball import Ball, standard_draws
from metarobust.threats.budget import Budget


class FromRandomStarts:
    """Of an `Engine`: it follows the gradient from as many random starts as there are restarts."""

    adversarial: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True

    def gradient_calls(self, budget: Budget) -> int:
        """One gradient a step and restart."""
        return budget.steps * budget.restarts

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """See `Engine.draw`: one random start [restarts, *shape]."""
        return standard_draws(budget.norm, (budget.restarts, *shape), generator)


class FromTheCleanPoint:
    """Of an `Engine`: it follows the gradient once, from the clean point, and nothing is random."""

    adversarial: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True

    def gradient_calls(self, budget: Budget) -> int:
        """One gradient a step."""
        return budget.steps

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """See `Engine.draw`: nothing is random."""
        return torch.zeros(0, *shape)


def climber(objective: Objective) -> Callable[[Tensor], tuple[Tensor, Judged]]:
    """The objective as `core.engine.gradient` wants it: its sum, and the judgement along with it.

    Units are independent, so the gradient of the sum holds each unit's own gradient, whose size
    does not depend on how many units share the batch.
    """

    def climb(point: Tensor) -> tuple[Tensor, Judged]:
        judged = objective(point)
        return judged.loss.sum(), judged

    return climb


def zero_share(grad: Tensor, ball: Ball) -> Tensor:
    """Share of each unit's attacked images whose gradient is exactly zero, [U]."""
    attacked = (ball.radius > 0).expand(ball.norm_of(grad).shape)
    zero = (ball.norm_of(grad) == 0) & attacked
    return zero.flatten(1).sum(1) / attacked.flatten(1).sum(1).clamp(min=1)
