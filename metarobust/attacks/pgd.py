"""Projected gradient ascent and its one-step special cases."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Objective, Perturbation
from metarobust.attacks.climb import FromRandomStarts, climber, zero_share
from metarobust.core.engine import gradient
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget


@ENGINES.register("pgd")
@dataclass(frozen=True)
class PGD(FromRandomStarts):
    """Projected gradient ascent (Madry et al. 2018, section 2.1), keeping the worst point seen.

    x_{t+1} = P(x_t + step_size * eps * v(grad)), with v = sign for linf, v = g / ||g||_2 for l2,
    and the sparse step of Tramèr & Boneh (2019) for l1, from a random start in the ball. The loss
    is summed over units, so that a step does not depend on how many units share the batch.

    Attributes:
        random_start: start anywhere in the ball; if not, every restart starts at the clean point.
    """

    random_start: bool = True

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        climb = climber(objective)
        with torch.no_grad():
            clean = objective(x)
        best = Best(x, clean.score)
        path, zeros = [clean.loss], []
        for start in draws:
            point = ball.project(x + ball.spread(start), x) if self.random_start else x
            for _ in range(budget.steps):
                grad, (_, judged) = gradient(climb, point, has_aux=True)
                best = best.challenged_by(point, judged.score)
                path.append(judged.loss)
                zeros.append(zero_share(grad, ball))
                point = ball.project(point + ball.ascend(grad, budget.step_size, point), x)
            with torch.no_grad():
                last = objective(point)
            best = best.challenged_by(point, last.score)
            path.append(last.loss)
        return Perturbation(best.x, best.score, torch.stack(path), torch.stack(zeros).mean(0))


@ENGINES.register("fgsm")
def fgsm() -> PGD:
    """The fast gradient sign method (Goodfellow et al. 2015): one step of length eps, clean start.

    A recipe sets `steps: 1` and `step_size: 1`.
    """
    return PGD(random_start=False)


@ENGINES.register("fgsm-rs")
def fgsm_rs() -> PGD:
    """FGSM with a random start (Wong, Rice & Kolter 2020): a recipe sets `step_size: 1.25`."""
    return PGD(random_start=True)
