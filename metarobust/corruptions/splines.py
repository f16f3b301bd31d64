"""Cubic B-splines on lines of pixels, as in `scipy.ndimage` with order 3 and a mirrored border."""

from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.borders import fold
from metarobust.corruptions.separable import filter_matrix


def spline_taps(positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The four coefficients that a cubic spline has under each position, and their weights.

    Args:
        positions: float64, any shape, in pixels.
        size: number of pixels of the line.

    Returns:
        Indices (int64) and weights (float64), each [..., 4].
    """
    first = positions.floor()
    t = (positions - first)[..., None]
    weights = torch.cat(
        (
            (1 - t) ** 3 / 6,
            (4 - 6 * t**2 + 3 * t**3) / 6,
            (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
            t**3 / 6,
        ),
        -1,
    )
    taps = first.long()[..., None] + torch.arange(-1, 3, device=positions.device)
    return fold(taps, size, "mirror"), weights


@lru_cache(maxsize=64)
def spline_coefficients(size: int) -> Tensor:
    """From the pixels of a line to the coefficients of the spline through them: [size, size]."""
    weights = torch.tensor([1, 4, 1], dtype=torch.float64) / 6
    inverse: Tensor = torch.linalg.inv(filter_matrix(size, weights, "mirror"))
    return inverse
