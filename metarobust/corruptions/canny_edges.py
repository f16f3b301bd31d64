"""Canny edges: nothing left of the image but its outlines."""

from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.colour import luma
from metarobust.corruptions.edges import hysteresis, neighbour
from metarobust.corruptions.separable import filter_matrix, gaussian_matrix, separable

_LOW, _HIGH = 0.1, 0.2
# Mirror-symmetric strokes have pairs of equal gradients, which rounding would tell apart.
_TIE = 1e-9


@register
class CannyEdges(Corruption):
    """The outlines that `skimage.feature.canny` finds with its default settings, white on black.

    Published at one strength and without parameters: every severity is the same. Colour images are
    reduced to their luma first. Of two equal neighbouring gradients both are edges; scikit-image
    leaves that to rounding. There is no gradient.
    """

    name = "canny-edges"
    summary = "keeps nothing but outlines"
    group = "mnist-c"
    differentiable = False

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Find the outlines (Canny, PAMI 1986): smooth, differentiate, thin, follow."""
        grey = luma(images.double())
        height, width = images.shape[-2:]
        smooth = separable(grey, _smoothing(height), _smoothing(width))
        down = separable(smooth, _difference(height), _average(width))
        right = separable(smooth, _average(height), _difference(width))
        magnitude = torch.hypot(down, right)
        inner = torch.zeros_like(magnitude, dtype=torch.bool)
        inner[..., 1:-1, 1:-1] = True
        thin = inner & (magnitude >= _LOW) & _is_ridge(magnitude, down, right)
        edges = hysteresis(thin, thin & (magnitude >= _HIGH))
        return edges.to(images).expand_as(images)


def _is_ridge(magnitude: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Where the magnitude is no smaller than on either side, read linearly along the gradient."""
    steep = down.abs() > right.abs()
    larger = torch.maximum(down.abs(), right.abs())
    share = torch.minimum(down.abs(), right.abs()) / torch.where(larger > 0, larger, 1)
    same_way = down * right >= 0
    ridge = torch.ones_like(steep)
    for sign in (-1, 1):
        straight = torch.where(steep, neighbour(magnitude, sign, 0), neighbour(magnitude, 0, sign))
        diagonal = torch.where(
            same_way,
            neighbour(magnitude, sign, sign),
            torch.where(
                steep, neighbour(magnitude, sign, -sign), neighbour(magnitude, -sign, sign)
            ),
        )
        ridge &= (1 - share) * straight + share * diagonal <= magnitude + _TIE
    return ridge


@lru_cache(maxsize=64)
def _smoothing(size: int) -> Tensor:
    """A Gaussian of sigma 1 that leaves out what lies beyond the border."""
    matrix = gaussian_matrix(size, 1.0, border="zero")
    return matrix / matrix.sum(1, keepdim=True)


@lru_cache(maxsize=64)
def _difference(size: int) -> Tensor:
    return filter_matrix(size, torch.tensor([-1, 0, 1], dtype=torch.float64), "reflect")


@lru_cache(maxsize=64)
def _average(size: int) -> Tensor:
    return filter_matrix(size, torch.tensor([1, 2, 1], dtype=torch.float64), "reflect")
