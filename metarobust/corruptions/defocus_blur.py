"""Defocus blur: every point of light becomes the disk of the lens's aperture."""

from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.separable import filter_matrix, gaussian_weights, separable


@register
class DefocusBlur(Corruption):
    """Convolution with a disk whose rim is smoothed by a small normal kernel.

    Parameters: (radius, alias), both in pixels: the disk's radius, and the standard deviation of
    the smoothing, whose kernel is 3 x 3 up to radius 8 and 5 x 5 above. Radii below 1 leave the
    smoothing alone. The image is mirrored at its border (OpenCV's reflect-101; repeating the border
    pixel instead is off by up to 63 / 255).
    """

    name = "defocus-blur"
    summary = "spreads every pixel over a disk"
    group = "common"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Filter every channel with the disk, as a sum of separable filters."""
        height, width = images.shape[-2:]
        left, strengths, right = torch.linalg.svd(disk(*parameters))
        rank = int((strengths > 1e-12).sum())
        parts = [
            separable(
                images,
                filter_matrix(height, strengths[i] * left[:, i], "mirror"),
                filter_matrix(width, right[i], "mirror"),
            )
            for i in range(rank)
        ]
        return torch.stack(parts).sum(0)


@lru_cache(maxsize=64)
def disk(radius: float, alias: float) -> Tensor:
    """The smoothed disk, float64 [2 r + 1, 2 r + 1]; never write to it.

    Its sum is 1 below radius 7 and up to 2 % more above, where the disk reaches the edge of the
    array in which the generators smooth it.

    Args:
        radius: in pixels.
        alias: standard deviation of the smoothing in pixels, above 0.
    """
    reach = 8 if radius <= 8 else int(radius)
    squares = torch.arange(-reach, reach + 1, dtype=torch.float64) ** 2
    inside = (squares[:, None] + squares <= radius**2).double()
    weights = gaussian_weights(alias, 1 if radius <= 8 else 2)
    smooth = filter_matrix(2 * reach + 1, weights, "mirror")
    kernel = smooth @ (inside / inside.sum()) @ smooth.T
    used = int(kernel[reach].nonzero().max()) - reach
    return kernel[reach - used : reach + used + 1, reach - used : reach + used + 1].clone()
