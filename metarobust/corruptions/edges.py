"""What both edge detectors need: shifted neighbours, and edges followed from strong to weak."""

import torch
from torch import Tensor
from torch.nn import functional as F


def neighbour(values: Tensor, down: int, right: int, beyond: float = 0.0) -> Tensor:
    """The value `down` rows below and `right` columns to the right of each pixel.

    Args:
        values: [..., H, W].
        down: rows, negative for above.
        right: columns, negative for to the left.
        beyond: the value outside the image.
    """
    height, width = values.shape[-2:]
    padding = (max(-right, 0), max(right, 0), max(-down, 0), max(down, 0))
    padded = F.pad(values, padding, value=beyond)
    top, left = max(down, 0), max(right, 0)
    return padded[..., top : top + height, left : left + width]


def hysteresis(weak: Tensor, strong: Tensor) -> Tensor:
    """The weak pixels that are joined to a strong one through weak ones, diagonals included.

    Args:
        weak: bool [n, 1, H, W], the strong pixels among them.
        strong: likewise.
    """
    found = strong
    while True:
        reached = (F.max_pool2d(found.float(), 3, stride=1, padding=1) > 0) & weak
        if torch.equal(reached, found):
            return found
        found = reached
