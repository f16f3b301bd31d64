"""RayS: a search that sees nothing but the predicted label."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Objective, Perturbation
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget
from metarobust.threats.losses import LossName


def blocks(steps: int, size: int) -> list[tuple[int, int]]:
    """The stretches of a flat image whose signs are flipped, one a step.

    The image is cut in one piece, then two, four...; after the finest cut it starts over.

    >>> blocks(7, 4)
    [(0, 4), (0, 2), (2, 4), (0, 1), (1, 2), (2, 3), (3, 4)]
    """
    found: list[tuple[int, int]] = []
    pieces = 1
    while len(found) < steps:
        width = math.ceil(size / pieces)
        found += [(start, min(start + width, size)) for start in range(0, size, width)]
        pieces = 1 if width == 1 else 2 * pieces
    return found[:steps]


@ENGINES.register("rays")
@dataclass(frozen=True)
class RayS:
    """The ray searching attack (Chen & Gu, KDD 2020, algorithms 2 and 3): decisions alone.

    It looks for the direction of signs along which the nearest wrong prediction lies, by flipping
    the signs of ever smaller stretches of the image: a flip is kept if the prediction is still
    wrong at the smallest radius so far, which is then bisected. Nothing is random, and the radius
    it ends with bounds the linf distance to the boundary from above.

    `budget.steps` is the number of flips. Each asks for one decision and, because every query runs
    in step, for `bisections` more.

    Attributes:
        bisections: halvings of the radius after a flip; 10 give the published tolerance of 1e-3.
    """

    bisections: int = 10

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)
    adversarial: ClassVar[bool] = True
    differentiates: ClassVar[bool] = False
    losses: ClassVar[tuple[LossName, ...]] = ("margin",)
    seeks_radius: ClassVar[bool] = True

    def gradient_calls(self, budget: Budget) -> int:
        """None: it only asks for predictions."""
        return 0

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """See `Engine.draw`: nothing is random."""
        return torch.zeros(0, *shape)

    @torch.no_grad()
    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""

        def reach(signs: Tensor, radius: Tensor) -> Tensor:
            return (x + radius * signs).clamp(0.0, 1.0)

        def is_wrong(signs: Tensor, radius: Tensor) -> Tensor:
            return (objective(reach(signs, radius)).score > 0).view(radius.shape)

        def shortened(signs: Tensor, radius: Tensor) -> Tensor:
            """The radius bisected down to the boundary, from a wrong prediction."""
            low, high = torch.zeros_like(radius), radius
            for _ in range(self.bisections):
                middle = (low + high) / 2
                wrong = is_wrong(signs, middle)
                low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
            return high

        clean = objective(x)
        signs, radius = torch.ones_like(x), torch.ones_like(ball.norm_of(x))
        found = is_wrong(signs, radius)
        radius = torch.where(found, shortened(signs, radius), radius)
        flat = torch.arange(x[0].numel(), device=x.device).view(x.shape[1:])
        for start, end in blocks(budget.steps, x[0].numel()):
            flipped = torch.where((flat >= start) & (flat < end), -signs, signs)
            better = is_wrong(flipped, radius)
            signs = torch.where(better, flipped, signs)
            radius = torch.where(better, shortened(signs, radius), radius)
            found = found | better
        inside = ball.project(reach(signs, radius), x)
        last = objective(inside)
        # A query that was wrong from the start is at distance zero of a wrong prediction.
        distance = torch.where(found.flatten(), radius.flatten(), torch.inf)
        distance = torch.where(clean.score > 0, 0.0, distance)
        path = torch.stack([clean.loss, last.loss])
        return Perturbation(inside, last.score, path, torch.zeros_like(last.score), distance)
