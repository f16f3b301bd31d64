"""Circular motion blur: the trace of a camera that turns about its axis."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import pixel_grid
from metarobust.corruptions.separable import separable
from metarobust.corruptions.splines import spline_coefficients, spline_taps

_TURNS = 21


@register
class CircularMotionBlur(Corruption):
    """The weighted mean of 21 copies, turned by -a to a degrees about the centre.

    Copy t in [-1, 1] weighs exp(-2 t^2). Each is `scipy.ndimage.rotate(order=3)`: a cubic spline,
    black beyond the border.

    Parameters: (level,): a = 1.5 * level degrees.
    """

    name = "circular-motion-blur"
    summary = "averages the image with turned copies"
    group = "c-bar"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Turn and average, all 21 in one sparse product."""
        (level,) = parameters
        height, width = images.shape[-2:]
        spline = separable(images, spline_coefficients(height), spline_coefficients(width))
        operator = mean_rotation(height, width, 1.5 * level).to(images)
        blurred: Tensor = torch.sparse.mm(operator, spline.flatten(2).flatten(0, 1).T)
        return blurred.T.reshape_as(images)


@lru_cache(maxsize=16)
def mean_rotation(height: int, width: int, degrees: float) -> Tensor:
    """The weighted mean of the rotations, from spline coefficients to pixels.

    Args:
        height: of the image.
        width: of the image.
        degrees: of the largest rotation.

    Returns:
        Sparse float64 [H * W, H * W]; some 30 entries a row at 32 x 32, 50 at 84 x 84.
    """
    rows, columns = pixel_grid(height, width, torch.device("cpu"))
    y, x = rows - (height - 1) / 2, columns - (width - 1) / 2
    times = torch.linspace(-1, 1, _TURNS, dtype=torch.float64)
    shares = torch.exp(-2 * times**2)
    shares /= shares.sum()
    all_taps, all_weights = [], []
    for time, share in zip(times.tolist(), shares.tolist(), strict=True):
        cosine, sine = (
            math.cos(math.radians(time * degrees)),
            math.sin(math.radians(time * degrees)),
        )
        row = cosine * y + sine * x + (height - 1) / 2
        column = cosine * x - sine * y + (width - 1) / 2
        inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
        down, down_weights = spline_taps(row.flatten(), height)
        right, right_weights = spline_taps(column.flatten(), width)
        weights = down_weights[:, :, None] * right_weights[:, None] * inside.view(-1, 1, 1)
        all_taps.append((down[:, :, None] * width + right[:, None]).flatten(1))
        all_weights.append(share * weights.flatten(1))
    taps = torch.cat(all_taps, 1)
    pixels = torch.arange(height * width)[:, None].expand_as(taps)
    return torch.sparse_coo_tensor(
        torch.stack((pixels.flatten(), taps.flatten())),
        torch.cat(all_weights, 1).flatten(),
        (height * width, height * width),
        check_invariants=False,
    ).coalesce()
