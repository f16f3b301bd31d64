"""Droplets with a bright and a dark side: the 8-bit OpenCV arithmetic behind the water of spatter.

All steps are on whole numbers, or on fractions that float64 holds exactly, so that the results are
those of OpenCV to the last bit.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from metarobust.corruptions.borders import fold
from metarobust.corruptions.edges import hysteresis, neighbour
from metarobust.corruptions.separable import filter_matrix, separable

_LOW, _HIGH = 50, 150
_FARTHEST = 20
_TAN_22 = 13573 / 32768
_EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
_STEPS = {(0, 1): 1.0, (1, 1): 91750 / 65536, (1, 2): 143976 / 65536}
"""OpenCV's lengths of a straight, a diagonal and a knight's step, in its 16-bit fractions."""


def shaded_droplets(liquid: Tensor) -> Tensor:
    """Droplets brightened by an embossed map of the distance to the nearest droplet's edge.

    Args:
        liquid: float64 [n, 1, H, W] from 0 to 1, 0 outside the droplets.

    Returns:
        float64 [n, 1, H, W], at least 0, in no particular unit.
    """
    drops = (liquid * 255).floor().clamp(0, 255)
    distance = chamfer_distance(canny(drops))
    height = equalise(_mean_of_nine(distance).floor())
    relief = _correlate(height, torch.tensor(_EMBOSS)).clamp(0, 255)
    return drops * _mean_of_nine(relief).round()


def canny(levels: Tensor) -> Tensor:
    """`cv2.Canny(levels, 50, 150)`: 3 x 3 Sobel, |dx| + |dy|, four directions of thinning.

    Args:
        levels: float64 [n, 1, H, W], whole numbers from 0 to 255.

    Returns:
        bool [n, 1, H, W].
    """
    height, width = levels.shape[-2:]
    average = torch.tensor([1.0, 2, 1], dtype=torch.float64)
    difference = torch.tensor([-1.0, 0, 1], dtype=torch.float64)
    across, down = (
        separable(levels, filter_matrix(height, a, "nearest"), filter_matrix(width, b, "nearest"))
        for a, b in ((average, difference), (difference, average))
    )
    magnitude = across.abs() + down.abs()

    def is_peak(before: tuple[int, int], after: tuple[int, int], strictly: bool) -> Tensor:
        behind = neighbour(magnitude, *after)
        return (magnitude > neighbour(magnitude, *before)) & (
            (magnitude > behind) if strictly else (magnitude >= behind)
        )

    flat = down.abs() < across.abs() * _TAN_22
    steep = down.abs() > across.abs() * (_TAN_22 + 2)
    falling = torch.where(
        across * down < 0,
        is_peak((-1, 1), (1, -1), strictly=True),
        is_peak((-1, -1), (1, 1), strictly=True),
    )
    upright = is_peak((-1, 0), (1, 0), strictly=False)
    level = is_peak((0, -1), (0, 1), strictly=False)
    thin = torch.where(flat, level, torch.where(steep, upright, falling)) & (magnitude > _LOW)
    return hysteresis(thin, thin & (magnitude > _HIGH))


def chamfer_distance(edges: Tensor) -> Tensor:
    """`cv2.distanceTransform(DIST_L2, 5)` to the nearest edge, cut at 20, by relaxation.

    Args:
        edges: bool [n, 1, H, W].

    Returns:
        float64 [n, 1, H, W] from 0 to 20 pixels; 20 where there is no edge.
    """
    steps = {
        (sign_down * down, sign_right * right): length
        for (short, long), length in _STEPS.items()
        for down, right in ((short, long), (long, short))
        for sign_down in (-1, 1)
        for sign_right in (-1, 1)
    }
    distance = torch.where(edges, 0.0, float(_FARTHEST)).double()
    while True:
        nearer = distance
        for (down, right), length in steps.items():
            nearer = torch.minimum(nearer, neighbour(distance, down, right, _FARTHEST) + length)
        if torch.equal(nearer, distance):
            return distance
        distance = nearer


def equalise(levels: Tensor) -> Tensor:
    """`cv2.equalizeHist`: each level becomes the share of the pixels that lie at or below it.

    Args:
        levels: float64 [n, 1, H, W], whole numbers from 0 to 20.

    Returns:
        Whole numbers from 0 to 255; an image of one level stays as it is.
    """
    counts = torch.stack([(levels == i).sum((-3, -2, -1)) for i in range(_FARTHEST + 1)], 1)
    total = levels[0].numel()
    at_most = counts.cumsum(1)
    lowest = at_most.masked_fill(at_most == 0, total).amin(1, keepdim=True)
    # OpenCV computes the scale and the products in float32, which decides ties.
    scale = 255 / (total - lowest).clamp_min(1).float()
    table = ((at_most - lowest).clamp_min(0).float() * scale).round().double()
    equalised = table.gather(1, levels.long().flatten(1)).view_as(levels)
    return torch.where((lowest == total)[..., None, None], levels, equalised)


def _correlate(levels: Tensor, kernel: Tensor) -> Tensor:
    """`cv2.filter2D` with a 3 x 3 kernel: correlation of the mirrored image."""
    height, width = levels.shape[-2:]
    rows = fold(torch.arange(-1, height + 1, device=levels.device), height, "mirror")
    columns = fold(torch.arange(-1, width + 1, device=levels.device), width, "mirror")
    padded = levels[..., rows[:, None], columns]
    return F.conv2d(padded, kernel.to(levels)[None, None])


def _mean_of_nine(levels: Tensor) -> Tensor:
    return _correlate(levels, torch.ones(3, 3)) / 9
