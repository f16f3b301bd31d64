"""What every gradient engine shares: an objective made differentiable, and a count of zeros."""

from collections.abc import Callable

from torch import Tensor

from metarobust.attacks.base import Judged, Objective
from metarobust.threats.ball import Ball


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
