"""The momentum iterative method: gradient ascent whose direction remembers earlier gradients."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Objective, Perturbation
from metarobust.attacks.climb import FromTheCleanPoint, climber, zero_share
from metarobust.core.engine import gradient
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget


@ENGINES.register("mim")
@dataclass(frozen=True)
class MIM(FromTheCleanPoint):
    """The momentum iterative method (Dong et al., CVPR 2018, algorithm 1).

    g_{t+1} = decay * g_t + grad / ||grad||_1 and x_{t+1} = P(x_t + step_size * eps * v(g_{t+1})),
    with v = sign for linf and v = g / ||g||_2 for l2, from the clean point. Published for transfer:
    its directions overfit the surrogate less than those of plain ascent.

    Attributes:
        decay: weight of the earlier gradients; published with 1.
    """

    decay: float = 1.0

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        climb, axes = climber(objective), tuple(range(-ball.image_axes, 0))
        with torch.no_grad():
            clean = objective(x)
        point, momentum, best = x, torch.zeros_like(x), Best(x, clean.score)
        path, zeros = [clean.loss], []
        for _ in range(budget.steps):
            grad, (_, judged) = gradient(climb, point, has_aux=True)
            best = best.challenged_by(point, judged.score)
            path.append(judged.loss)
            zeros.append(zero_share(grad, ball))
            length = grad.abs().sum(axes, keepdim=True).clamp(min=1e-30)
            momentum = self.decay * momentum + grad / length
            point = ball.project(point + ball.ascend(momentum, budget.step_size), x)
        with torch.no_grad():
            last = objective(point)
        best = best.challenged_by(point, last.score)
        path.append(last.loss)
        return Perturbation(best.x, best.score, torch.stack(path), torch.stack(zeros).mean(0))
