"""Checkerboard cutout: grey squares in front of the image."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import pixel_grid

_CELLS = 40


@register
class CheckerboardCutout(Corruption):
    """A random share of a turned checkerboard's black squares, covered with grey (128 of 255).

    Parameters: (level,): the share is level / 10. The squares' side is drawn between a tenth and a
    quarter of the image's longer side (at least 1 pixel), the angle from the whole circle.

    Whether a square is covered is looked up at its coordinates cut towards zero, as published: the
    squares on the two sides of an axis share one draw.
    """

    name = "checkerboard-cutout"
    summary = "covers squares with grey"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [2 + 40 * 40]: angle, side, and one for each square."""
        return torch.rand(2 + _CELLS**2, generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Cover the squares."""
        (level,) = parameters
        height, width = images.shape[-2:]
        longer = max(height, width)
        angle = 2 * math.pi * draws[:, 0, None, None].double()
        side = ((0.1 + 0.15 * draws[:, 1, None, None].double()) * longer).clamp_min(1)
        rows, columns = pixel_grid(height, width, images.device)
        across = (angle.cos() * rows + angle.sin() * columns) / side
        along = (angle.cos() * columns - angle.sin() * rows) / side
        black = across.remainder(2).floor() == along.remainder(2).floor()
        cells = (4 * longer / side).floor().long()
        place = across.long() % cells * _CELLS + along.long() % cells
        chance = draws[:, 2:].gather(1, place.flatten(1)).view_as(across)
        covered = black & (chance < level / 10)
        return torch.where(covered[:, None], 128 / 255, images)
