"""Shear, rotate, scale and translate: the affine maps of MNIST-C, about the image's centre."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import bilinear, pixel_grid

Coefficient = Tensor | float


@register
class Shear(Corruption):
    """Sheared along the rows, to the left or to the right at random; black moves in.

    Parameters: (angle,), in radians. As scikit-image understood it when MNIST-C was made: upright
    lines lean by the angle and rows shrink by its cosine. Later versions shear by the tangent.
    """

    name = "shear"
    summary = "shears along the rows"
    group = "mnist-c"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The direction [1], -1 or 1."""
        return _signs(1, generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Shear."""
        (angle,) = parameters
        angles = angle * draws.double()[..., None]
        return map_about_centre(images, 1, -angles.sin(), 0, angles.cos())


@register
class Rotate(Corruption):
    """Turned about the centre, to the left or to the right at random; black moves in.

    Parameters: (angle,), in radians.
    """

    name = "rotate"
    summary = "turns about the centre"
    group = "mnist-c"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The direction [1], -1 or 1."""
        return _signs(1, generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Turn."""
        (angle,) = parameters
        angles = angle * draws.double()[..., None]
        return map_about_centre(images, angles.cos(), -angles.sin(), angles.sin(), angles.cos())


@register
class Scale(Corruption):
    """Shrunk towards the centre; black moves in.

    Parameters: (factor,), the size that is left.
    """

    name = "scale"
    summary = "shrinks towards the centre"
    group = "mnist-c"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Shrink."""
        (factor,) = parameters
        return map_about_centre(images, 1 / factor, 0, 0, 1 / factor)


@register
class Translate(Corruption):
    """Shifted along both axes by the same length, each way at random; black moves in.

    Parameters: (shift,), in 28ths of the side, which are pixels on MNIST; rounded to whole pixels,
    at least 1.
    """

    name = "translate"
    summary = "shifts along both axes"
    group = "mnist-c"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The directions [2], -1 or 1, across and down."""
        return _signs(2, generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Shift."""
        (shift,) = parameters
        height, width = images.shape[-2:]
        rows, columns = pixel_grid(height, width, images.device)
        across, down = draws.double()[..., None, None].unbind(1)
        across = across * max(1, round(shift * width / 28))
        down = down * max(1, round(shift * height / 28))
        return bilinear(images, rows + down, columns + across, "zero")


def map_about_centre(
    images: Tensor, xx: Coefficient, xy: Coefficient, yx: Coefficient, yy: Coefficient
) -> Tensor:
    """Images read through a linear map: x' = xx x + xy y, y' = yx x + yy y.

    Args:
        images: [n, C, H, W].
        xx: with the others, the map from (x, y) of the result, x to the right and y down from the
            centre, to (x', y') of the image; numbers or float64 [n, 1, 1].
        xy: see `xx`.
        yx: see `xx`.
        yy: see `xx`.
    """
    height, width = images.shape[-2:]
    rows, columns = pixel_grid(height, width, images.device)
    y, x = rows - (height - 1) / 2, columns - (width - 1) / 2
    down = yx * x + yy * y + (height - 1) / 2
    across = xx * x + xy * y + (width - 1) / 2
    return bilinear(images, down, across, "zero")


def _signs(count: int, generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(0, 2, (count,), generator=generator) - 1
