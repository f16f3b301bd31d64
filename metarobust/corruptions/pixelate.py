"""Pixelation: an image shown larger than its resolution allows."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.separable import box_matrix, separable


@register
class Pixelate(Corruption):
    """Resized to `int(scale * side)` pixels a side and back, with Pillow's BOX filter both ways.

    Parameters: (scale,). Against Pillow on 8-bit images the result differs by at most 1 / 255:
    Pillow rounds after each of its four passes, this does not round.
    """

    name = "pixelate"
    summary = "shrinks and enlarges with a box filter"
    group = "common"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Shrink and enlarge along the height and the width."""
        (scale,) = parameters
        height, width = images.shape[-2:]
        return separable(images, _there_and_back(height, scale), _there_and_back(width, scale))


def _there_and_back(size: int, scale: float) -> Tensor:
    small = max(1, int(size * scale))
    return box_matrix(small, size) @ box_matrix(size, small)
