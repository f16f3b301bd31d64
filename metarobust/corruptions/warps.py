"""Ripple, and pinch and twirl: C-bar's two bent mirrors."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import bilinear, pixel_grid
from metarobust.corruptions.severities import choose_table


@register
class Ripple(Corruption):
    """Rows and columns moved to and fro by sine waves of random length and phase.

    Parameters: (level,): the amplitude is level / 400 of the side. Wavelengths are a tenth to three
    tenths of the side. What lies beyond the border is black.
    """

    name = "ripple"
    summary = "bends rows and columns by sine waves"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [2, 2]: wavelength and phase, of rows and of columns."""
        return torch.rand((2, 2), generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Bend."""
        (level,) = parameters
        height, width = images.shape[-2:]
        rows, columns = pixel_grid(height, width, images.device)
        numbers = draws.double()[..., None, None]
        lengths, phases = 0.1 + 0.2 * numbers[:, 0], 2 * math.pi * numbers[:, 1]

        def wave(share: Tensor, axis: int) -> Tensor:
            return torch.sin(2 * math.pi * share / lengths[:, axis] + phases[:, axis])

        down = 0.0025 * level * height * wave(rows / height, 0)
        right = 0.0025 * level * width * wave(columns / width, 1)
        return bilinear(images, rows + down, columns + right, "zero")


@register
class PinchAndTwirl(Corruption):
    """A grid of whirls: inside a circle, pixels are drawn to its centre and turned around it.

    Parameters: (level,): the whirl turns by up to level * pi / 20 at its centre, one way or the
    other, and pinches with an exponent of 0.04 * level + 0.1.

    There are 3 x 3 whirls, and 5 x 5 above the sizes of Tiny-ImageNet-C; rows and columns that the
    grid does not divide stay as they are, as published.
    """

    name = "pinch-and-twirl"
    summary = "turns the image in a grid of whirls"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The direction of each whirl, -1 or 1."""
        channels, height, width = shape
        count = 5 if choose_table(height, width, channels) == "imagenet-c" else 3
        return 2.0 * torch.randint(0, 2, (count, count), generator=generator) - 1

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Pinch and twirl."""
        (level,) = parameters
        count = draws.shape[-1]
        height, width = images.shape[-2:]
        rows, columns = pixel_grid(height, width, images.device)
        high, wide = max(height // count, 1), max(width // count, 1)
        radius = min(high, wide) / 2
        tile_row, tile_column = (rows / high).floor(), (columns / wide).floor()
        y = rows - (tile_row + 0.5) * high
        x = columns - (tile_column + 0.5) * wide
        distance = torch.hypot(x, y)
        last = count - 1
        direction = draws[
            :, tile_row.clamp(max=last).long(), tile_column.clamp(max=last).long()
        ].double()
        inside = (distance <= radius) & (distance > 0.0005)
        inside = inside & (tile_row < count) & (tile_column < count)
        share = (distance / radius).clamp(1e-6, 1)
        pinch = torch.sin(math.pi / 2 * share) ** -(0.04 * level + 0.1)
        turn = direction * (level * math.pi / 20) * (1 - share) ** 2
        down = pinch * (y * turn.cos() - x * turn.sin()) - y
        right = pinch * (y * turn.sin() + x * turn.cos()) - x
        return bilinear(
            images,
            rows + torch.where(inside, down, 0),
            columns + torch.where(inside, right, 0),
            "zero",
        )
