"""Dotted line and zigzag: strokes over the drawing, from MNIST-C."""

from itertools import pairwise

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register

_SIDE = 28
_REACH = 2.3


@register
class DottedLine(Corruption):
    """A dotted white line from the left to the right, between two random heights.

    Published at one strength and without parameters: every severity is the same. The line is drawn
    on MNIST's 28 x 28 grid, stretched to the image. It is white, as the ink of MNIST.
    """

    name = "dotted-line"
    summary = "adds a white dotted line"
    group = "mnist-c"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The row at either end, whole and from 0 to 26."""
        return torch.randint(0, 27, (2,), generator=generator).float()

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the line, two columns of every four."""
        rows, columns = grid(images)
        start, end = draws.to(images)[..., None, None].unbind(1)
        left, right = torch.zeros_like(start), torch.full_like(start, 27)
        line = stroke(rows, columns, (left, start), (right, end))
        dots = (columns / 2).floor() % 2 == 1
        return images + (line * dots)[:, None]


@register
class Zigzag(Corruption):
    """A white zigzag from the left to the right, 4 columns a tooth, 4 rows high, tilted at random.

    Published at one strength and without parameters: every severity is the same. It is drawn on
    MNIST's 28 x 28 grid, stretched to the image, in white, the ink of MNIST.
    """

    name = "zigzag"
    summary = "adds a white zigzag"
    group = "mnist-c"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The row at the left end, from 0 to 26, and how far the right end is below, -5 to 4."""
        start = torch.randint(0, 27, (1,), generator=generator)
        return torch.cat((start, torch.randint(-5, 5, (1,), generator=generator))).float()

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the seven strokes."""
        rows, columns = grid(images)
        start, fall = draws.to(images)[..., None, None].unbind(1)
        length = torch.hypot(fall, torch.full_like(fall, 23))
        sine, cosine = fall / length, 23 / length
        along: list[Tensor | float] = [0, 2, 6, 10, 14, 18, 22, length]
        aside: list[Tensor | float] = [0, 2, -2, 2, -2, 2, -2, -1 / (length - 20)]
        corners = [
            (cosine * a - sine * b + 2, sine * a + cosine * b + start)
            for a, b in zip(along, aside, strict=True)
        ]
        for one, other in pairwise(corners):
            images = images + stroke(rows, columns, one, other)[:, None]
        return images


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [H, 1] and columns [1, W] of the images' pixels on MNIST's 28 x 28 grid."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device, dtype=images.dtype)[:, None]
    columns = torch.arange(width, device=images.device, dtype=images.dtype)
    return rows * (_SIDE / height), columns[None] * (_SIDE / width)


def stroke(
    rows: Tensor, columns: Tensor, left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]
) -> Tensor:
    """MNIST-C's pen: 1 + log(1 - d / 2.3) where positive, d rows above or below the line.

    Args:
        rows: [H, 1].
        columns: [1, W].
        left: column and row [n, 1, 1] of the left end.
        right: of the right end, in a column further to the right.

    Returns:
        [n, H, W] in [0, 1]; 0 outside the columns from floor(left) up to, and without, ceil(right).
    """
    slope = (right[1] - left[1]) / (right[0] - left[0])
    distance = (rows - left[1] - slope * (columns - left[0])).abs()
    ink = (1 + torch.log1p(-distance.clamp(max=0.99 * _REACH) / _REACH)).clamp(min=0)
    return ink * ((columns >= left[0].floor()) & (columns < right[0].ceil()))
