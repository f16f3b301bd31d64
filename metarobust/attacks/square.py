"""Square: random search with square patches, which sees the learner's outputs but no gradient."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from metarobust.attacks.base import ENGINES, Best, Objective, Perturbation
from metarobust.attacks.patches import patch_mask, patch_pattern, tile_grid
from metarobust.core.errors import ConfigError
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries, of 10,000, after which the patches cover half as many pixels."""


def patch_share(step: int, steps: int, first: float, *, rescale: bool) -> float:
    """The share of the pixels that a patch covers (Andriushchenko et al. 2020, section 5).

    Args:
        step: from 0.
        steps: of the whole search.
        first: share at the start.
        rescale: stretch the schedule of 10,000 queries to `steps`, as published; if not, follow it
            as far as it goes, as AutoAttack does.

    >>> [patch_share(step, 5000, 0.8, rescale=False) for step in (0, 10, 11, 4999)]
    [0.8, 0.8, 0.4, 0.00625]
    """
    position = int(step / steps * 10_000) if rescale else step
    return first * 0.5 ** sum(position > limit for limit in _HALVINGS)


@ENGINES.register("square")
@dataclass(frozen=True)
class Square:
    """The Square attack (Andriushchenko et al., ECCV 2020, algorithms 1 to 3), score-based.

    For linf the perturbation lies on the corners of the ball: it starts as vertical stripes of
    random signs, and a step proposes one sign for each channel of one square patch. For l2 it
    starts as a grid of tiles, and a step moves the budget of one patch, and what is left of the
    whole budget, into another. A proposal is kept where it raises the loss. Every image has a patch
    of its own, of one size, which shrinks on the published schedule; `budget.steps` counts queries.

    Attributes:
        p_init: share of the pixels that the first patches cover.
        rescale: stretch the schedule to the number of steps; see `patch_share`.
    """

    p_init: float = 0.8
    rescale: bool = True

    version: ClassVar[int] = 1
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")
    adversarial: ClassVar[bool] = True
    differentiates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.p_init <= 1:
            raise ConfigError(f"square: expected p_init in (0, 1], got {self.p_init}")

    def gradient_calls(self, budget: Budget) -> int:
        """None: it asks for the loss only, `steps + 2` times a restart."""
        return 0

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """See `Engine.draw`: uniform numbers [restarts, n, numbers, 1, 1].

        Raises:
            ConfigError: inputs are not images [n, C, H, W].
        """
        if len(shape) != 4:
            raise ConfigError(f"square needs images [n, C, H, W], got inputs of shape {shape}")
        start, step = _numbers(budget.norm, shape[1:])
        count = start + budget.steps * step
        return torch.rand((budget.restarts, shape[0], count, 1, 1), generator=generator)

    @torch.no_grad()
    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """See `Engine.maximise`."""
        start, step = _numbers(ball.norm, x.shape[-3:])
        begin, propose = _MOVES[ball.norm]
        clean = objective(x)
        best, path = Best(x, clean.score), [clean.loss]
        for draw in draws:
            numbers = draw.squeeze(-1).squeeze(-1)
            point = begin(x, ball, numbers[..., :start])
            judged = objective(point)
            best = best.challenged_by(point, judged.score)
            path.append(judged.loss)
            kept = Best(point, judged.loss)
            for i in range(budget.steps):
                share = patch_share(i, budget.steps, self.p_init, rescale=self.rescale)
                offset = start + i * step
                point = propose(kept.x, x, ball, share, numbers[..., offset : offset + step])
                judged = objective(point)
                best = best.challenged_by(point, judged.score)
                path.append(judged.loss)
                kept = kept.challenged_by(point, judged.loss)
        return Perturbation(best.x, best.score, torch.stack(path), torch.zeros_like(best.score))


def _numbers(norm: Norm, image: tuple[int, ...]) -> tuple[int, int]:
    """How many uniform numbers each image needs at the start, and in each step."""
    channels, height, width = image
    if norm == "linf":
        return channels * width, channels + 2
    return len(tile_grid(height, width)) * (channels + 1), channels + 5


def _signs(uniform: Tensor) -> Tensor:
    return torch.where(uniform < 0.5, -1.0, 1.0).to(uniform.dtype)


def _begin_linf(x: Tensor, ball: Ball, numbers: Tensor) -> Tensor:
    stripes = _signs(numbers).reshape(*x.shape[:-2], 1, x.shape[-1])
    return ball.project(x + ball.radius * stripes, x)


def _propose_linf(kept: Tensor, x: Tensor, ball: Ball, share: float, numbers: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    side = min(max(round(math.sqrt(share * height * width)), 1), height, width)
    mask = patch_mask(numbers[..., 0], numbers[..., 1], side, height, width).to(x.dtype)
    signs = _signs(numbers[..., 2:])[..., None, None]
    # Twice the radius carries any pixel of the patch to the wall of the ball.
    return ball.project(kept + 2 * ball.radius * signs * mask.unsqueeze(-3), x)


def _begin_l2(x: Tensor, ball: Ball, numbers: Tensor) -> Tensor:
    channels, height, width = x.shape[-3:]
    delta = torch.zeros_like(x)
    tiles = numbers.reshape(*numbers.shape[:-1], -1, channels + 1)
    for tile, (top, left, side) in enumerate(tile_grid(height, width)):
        turn, signs = tiles[..., tile, 0], _signs(tiles[..., tile, 1:])[..., None, None]
        row, column = torch.full_like(turn, top), torch.full_like(turn, left)
        pattern = patch_pattern(row, column, turn < 0.5, side, height, width).to(x.dtype)
        delta = delta + pattern.unsqueeze(-3) * signs
    return ball.project(x + ball.spread(delta), x)


def _propose_l2(kept: Tensor, x: Tensor, ball: Ball, share: float, numbers: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    side = max(round(math.sqrt(share * height * width)), 3)
    side = min(side + (side % 2 == 0), height, width)
    delta = kept - x
    rows, columns = height - side + 1, width - side + 1
    row, column = (numbers[..., 0] * rows).floor(), (numbers[..., 1] * columns).floor()
    into = patch_mask(numbers[..., 0], numbers[..., 1], side, height, width).unsqueeze(-3)
    out_of = patch_mask(numbers[..., 2], numbers[..., 3], side, height, width).unsqueeze(-3)
    pattern = patch_pattern(row, column, numbers[..., 4] < 0.5, side, height, width).to(x.dtype)
    fresh = pattern.unsqueeze(-3) * _signs(numbers[..., 5:])[..., None, None]
    fresh = _unit(_unit(delta * into) + fresh)
    unspent = (ball.radius.square() - ball.norm_of(delta).square()).clamp(min=0)
    windows = _channel_norm(delta * (into | out_of)).square()
    fresh = fresh * (unspent / x.shape[-3] + windows).sqrt()
    moved = torch.where(into, fresh, torch.where(out_of, 0.0, delta))
    return ball.project(x + ball.spread(moved), x)


def _channel_norm(delta: Tensor) -> Tensor:
    return delta.square().sum((-2, -1), keepdim=True).sqrt()


def _unit(delta: Tensor) -> Tensor:
    return delta / _channel_norm(delta).clamp(min=1e-12)


_Begin = Callable[[Tensor, Ball, Tensor], Tensor]
_Propose = Callable[[Tensor, Tensor, Ball, float, Tensor], Tensor]
_MOVES: dict[Norm, tuple[_Begin, _Propose]] = {
    "linf": (_begin_linf, _propose_linf),
    "l2": (_begin_l2, _propose_l2),
}
