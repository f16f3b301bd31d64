"""Transverse chromatic aberration: a lens that magnifies each colour by another factor."""

from functools import lru_cache

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.splines import spline_taps


@register
class TransverseChromaticAberration(Corruption):
    """Red, green and blue magnified about the centre by 1, 1 + s / 2 and 1 + s in random order.

    Parameters: (level,): s = level / 20.

    Only for colour. The published generator (which spells it "abberation") calls
    `scipy.ndimage.zoom` without its prefilter: the spline does not pass through the pixels, and all
    three colours are slightly smoothed, the one that is not magnified too. Kept as published.
    """

    name = "transverse-chromatic-aberration"
    summary = "magnifies each colour by another factor"
    group = "c-bar"
    channels = (3,)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """A permutation of the three magnifications [3]."""
        return torch.randperm(3, generator=generator).float()

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Magnify every colour."""
        (level,) = parameters
        order = draws.long()
        factors = [1, 1 + level / 40, 1 + level / 20]
        rows, columns = (
            torch.stack([spline_magnifier(size, factor) for factor in factors]).to(images)[order]
            for size in images.shape[-2:]
        )
        return rows @ images @ columns.mT


@lru_cache(maxsize=64)
def spline_magnifier(size: int, factor: float) -> Tensor:
    """`scipy.ndimage.zoom(order=3, prefilter=False)` of a line, cut to its middle: [size, size]."""
    enlarged = round(size * factor)
    trim = (enlarged - size) // 2
    positions = torch.arange(trim, trim + size, dtype=torch.float64)
    taps, weights = spline_taps(positions * (size - 1) / max(enlarged - 1, 1), size)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, taps, weights)
