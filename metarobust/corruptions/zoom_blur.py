"""Zoom blur: the trace of a camera that moves towards its subject."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.separable import separable


@register
class ZoomBlur(Corruption):
    """The mean of the image and of its magnifications by 1, 1 + step, ... about its centre.

    Parameters: (stop, step). Whether `stop` itself is among the factors is decided by the rounding
    of `numpy.arange`, as in the published generators.
    """

    name = "zoom-blur"
    summary = "averages the image with its magnifications"
    group = "common"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add up the magnified images."""
        factors = np.arange(1, *parameters).tolist()
        total = images + sum(magnify(images, factor) for factor in factors)
        return total / (len(factors) + 1)


def magnify(images: Tensor, factor: float) -> Tensor:
    """The middle of every image, enlarged to the size of the whole between pixel centres.

    Args:
        images: [n, C, H, W].
        factor: from 1.
    """
    height, width = images.shape[-2:]
    return separable(images, magnifier(height, factor), magnifier(width, factor))


@lru_cache(maxsize=512)
def magnifier(size: int, factor: float) -> Tensor:
    """The middle ceil(size / factor) pixels of a line, enlarged and cut to size: [size, size].

    The enlargement is `scipy.ndimage.zoom(order=1)`: the first and the last pixel keep their places
    and the others are read linearly. (For some sizes scipy's rounding puts the last pixel outside
    and makes it 0: 48 pixels by 1.75. Not here.) Both cuts are centred, as in the generators of
    Hendrycks; the package imagecorruptions cuts at the top left.
    """
    cropped = int(np.ceil(size / factor))
    enlarged = round(cropped * factor)
    first = (size - cropped) // 2
    trim = (enlarged - size) // 2
    spacing = (cropped - 1) / max(enlarged - 1, 1)
    positions = torch.arange(trim, trim + size, dtype=torch.float64) * spacing
    left = positions.floor().clamp(0, max(cropped - 2, 0))
    share = positions - left
    matrix = torch.zeros(size, size, dtype=torch.float64)
    lines = torch.arange(size)
    matrix[lines, first + left.long()] = 1 - share
    matrix[lines, first + (left.long() + 1).clamp(max=cropped - 1)] += share
    return matrix
