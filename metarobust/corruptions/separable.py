"""Separable image operators as small dense matrices: `rows @ image @ columns.T`.

At the image sizes of few-shot learning a dense H x H product is several times faster than a
convolution and agrees with it to rounding. Matrices are built in float64 and cached; never write
to one.
"""

from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.borders import Border, fold


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply one matrix along the height and one along the width of [n, C, H, W] images.

    Args:
        images: [n, C, H, W].
        rows: [H', H].
        columns: [W', W].

    Returns:
        [n, C, H', W'], in the dtype and on the device of the images.
    """
    return rows.to(images) @ images @ columns.to(images).T


def filter_matrix(size: int, weights: Tensor, border: Border) -> Tensor:
    """Correlation of a line of `size` pixels with a short kernel, float64 [size, size].

    Args:
        size: number of pixels.
        weights: float64 [2 r + 1], the centre at r.
        border: what lies beyond the line.
    """
    radius = len(weights) // 2
    sources = torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)
    taps = weights.expand(size, -1)
    if border == "zero":
        taps = torch.where((sources >= 0) & (sources < size), taps, 0.0)
    blank = torch.zeros(size, size, dtype=torch.float64)
    return blank.scatter_add_(1, fold(sources, size, border), taps)


def gaussian_weights(sigma: float, radius: int) -> Tensor:
    """A normal kernel cut at `radius` pixels, float64 [2 radius + 1], of sum 1."""
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    return weights / weights.sum()


@lru_cache(maxsize=256)
def gaussian_matrix(
    size: int, sigma: float, *, truncate: float = 4.0, border: Border = "nearest"
) -> Tensor:
    """The Gaussian filter of a line of `size` pixels, float64 [size, size].

    By default the convention of `skimage.filters.gaussian`: the kernel is cut at 4 sigma, and the
    border pixel is repeated beyond the border. Rows sum to 1 except with a border of zeros.

    Args:
        size: number of pixels.
        sigma: standard deviation in pixels, above 0.
        truncate: where the kernel is cut, in sigma.
        border: what lies beyond the line.
    """
    return filter_matrix(size, gaussian_weights(sigma, int(truncate * sigma + 0.5)), border)


@lru_cache(maxsize=256)
def box_matrix(size: int, resized: int) -> Tensor:
    """Pillow's BOX resampling of a line of pixels, float64 [resized, size], rows summing to 1.

    Pillow gives every source pixel whose centre lies in the box the same weight; averaging by
    overlapping area instead is off by up to 190 / 255 on the published pixelate levels.

    Args:
        size: number of pixels before.
        resized: number of pixels after; more or fewer.
    """
    scale = size / resized
    width = max(scale, 1.0)
    centres = (torch.arange(resized, dtype=torch.float64)[:, None] + 0.5) * scale
    sources = torch.arange(size, dtype=torch.float64)
    # Both bounds, in Pillow's own order of operations: it decides the pixels that lie on an edge.
    first = (centres - 0.5 * width + 0.5).floor()
    last = (centres + 0.5 * width + 0.5).floor()
    position = (sources - centres + 0.5) * (1.0 / width)
    inside = (sources >= first) & (sources < last) & (position > -0.5) & (position <= 0.5)
    return inside / inside.sum(1, keepdim=True, dtype=torch.float64)
