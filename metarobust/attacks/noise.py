"""The noise floor: perturbations that know nothing of the learner."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Objective, Perturbation
from metarobust.core.errors import ConfigError
from metarobust.threats.ball import Ball, Norm, standard_draws
from metarobust.threats.budget import Budget


@ENGINES.register("noise")
@dataclass(frozen=True)
class Noise:
    """One random perturbation of the whole budget: the control every attack must beat.

    Attributes:
        distribution: `uniform` in the box (linf) or on the sphere (l2); `sign`, +eps or -eps with
            equal chance (linf only).
    """

    distribution: Literal["uniform", "sign"] = "uniform"

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")
    adversarial: ClassVar[bool] = False
    differentiates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.distribution not in ("uniform", "sign"):
            raise ConfigError(
                f"noise: expected distribution uniform or sign, got '{self.distribution}'"
            )

    def gradient_calls(self, budget: Budget) -> int:
        """Zero: noise takes no gradient."""
        return 0

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """See `Engine.draw`."""
        draws = standard_draws(budget.norm, shape, generator)
        return draws.sign() if self.distribution == "sign" else draws

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        noisy = ball.project(x + ball.spread(draws), x)
        with torch.no_grad():
            before, after = objective(x), objective(noisy)
        path = torch.stack([before.loss, after.loss])
        return Perturbation(noisy, after.score, path, torch.zeros_like(after.score))
