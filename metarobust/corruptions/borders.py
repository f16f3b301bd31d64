"""What lies beyond the border of an image, under scipy's names."""

from typing import Literal

import torch
from torch import Tensor

Border = Literal["zero", "nearest", "reflect", "mirror"]
"""How a line a b c d goes on: zero 0 0 | a b c d | 0 0, nearest a a | a b c d | d d,
reflect b a | a b c d | d c, mirror c b | a b c d | c b (OpenCV's reflect-101)."""


def fold(positions: Tensor, size: int, border: Border) -> Tensor:
    """The pixel of a line that stands in for each position, however far outside it is.

    >>> fold(torch.arange(-3, 7), 4, "mirror").tolist()
    [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]

    Args:
        positions: integers of any shape.
        size: number of pixels of the line.
        border: for "zero" the nearest pixel; it is for the caller to give it no weight.

    Returns:
        Integers in [0, size), shaped like `positions`.
    """
    if border in ("zero", "nearest"):
        return positions.clamp(0, size - 1)
    if border == "reflect":
        position = positions.remainder(2 * size)
        return torch.minimum(position, 2 * size - 1 - position)
    period = max(2 * size - 2, 1)
    position = positions.remainder(period)
    return torch.minimum(position, period - position)
