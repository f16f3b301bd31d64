"""Lines: scratches of grey across the image."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import pixel_grid


@register
class Lines(Corruption):
    """Antialiased grey (128 of 255) lines through random points, in directions around a common one.

    Parameters: (level,): there are int(level / 10 * side) lines, of twice the side, with the
    image's longer side. The spread of their directions is drawn for each image, from a tenth of the
    circle to the whole.

    The coverage of a pixel is 1 minus its distance from the line, inside the box that the ends
    span: what `skimage.draw.line_aa` comes to. The order of the lines does not matter here; the
    published generator rounds to 8 bits after every line.
    """

    name = "lines"
    summary = "draws grey lines"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [2 + 3 * side]: direction, spread; row, column and direction of lines."""
        return torch.rand(2 + 3 * max(shape[1:]), generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Draw the lines."""
        (level,) = parameters
        height, width = images.shape[-2:]
        longer = max(height, width)
        numbers = draws.double()[..., None, None]
        common = 2 * math.pi * numbers[:, 0]
        spread = 2 * math.pi * (0.1 + 0.9 * numbers[:, 1])
        bare = torch.ones_like(images[:, :1])
        for line in (
            numbers[:, 2:].view(len(images), -1, 3, 1, 1).unbind(1)[: int(level / 10 * longer)]
        ):
            angle = common + spread * (line[:, 2] - 0.5)
            row, column = height * line[:, 0], width * line[:, 1]
            down, right = longer * angle.cos(), longer * angle.sin()
            ends = (row - down, column - right, row + down, column + right)
            covered = coverage(height, width, *(end.trunc() for end in ends))
            bare = bare * (1 - covered[:, None].to(images))
        return images * bare + 128 / 255 * (1 - bare)


def coverage(
    height: int, width: int, row: Tensor, column: Tensor, to_row: Tensor, to_column: Tensor
) -> Tensor:
    """How much of each pixel a line of one pixel's width covers.

    Args:
        height: of the image.
        width: of the image.
        row: whole numbers as float64 [n, 1, 1], where the line starts; may lie outside.
        column: likewise.
        to_row: where it ends, elsewhere than at its start.
        to_column: likewise.

    Returns:
        float64 [n, H, W] in [0, 1].
    """
    rows, columns = pixel_grid(height, width, row.device)
    down, right = to_row - row, to_column - column
    distance = ((rows - row) * right - (columns - column) * down).abs() / torch.hypot(down, right)
    inside = (rows >= torch.minimum(row, to_row)) & (rows <= torch.maximum(row, to_row))
    inside = inside & (columns >= torch.minimum(column, to_column))
    inside = inside & (columns <= torch.maximum(column, to_column))
    return (1 - distance).clamp(min=0) * inside
