"""A whole attack engine in one file: random search among the corners of the linf ball.

Run it with `metarobust audit --set "threats=[attacks/examples/random-sign.yaml]" --allow-code
attacks/examples/random_sign.py`. No registration is needed: the recipe beside this file names the
class, and `--allow-code` lets it run.
"""

from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import Best, Objective, Perturbation
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget


class RandomSign:
    """Try `budget.steps` random corners and keep, for each unit, the worst point seen.

    It needs no gradient, so it also runs on learners that cannot be differentiated. An option of
    the recipe would be a keyword argument of `__init__`.
    """

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)
    adversarial: ClassVar[bool] = True
    differentiates: ClassVar[bool] = False

    def gradient_calls(self, budget: Budget) -> int:
        """None: it only asks for the loss."""
        return 0

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """All random numbers of the search, drawn first: one corner a step, +1 or -1 a pixel."""
        coins = torch.randint(0, 2, (budget.steps, *shape), generator=generator)
        return 2.0 * coins - 1.0

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """Search the ball around `x` [U, *unit] for the point of largest score."""
        judged = objective(x)
        best, path = Best(x, judged.score), [judged.loss]
        for corner in draws:
            point = ball.project(x + ball.radius * corner, x)
            judged = objective(point)
            best = best.challenged_by(point, judged.score)
            path.append(judged.loss)
        no_gradients = torch.zeros_like(best.score)
        return Perturbation(best.x, best.score, torch.stack(path), no_gradients)
