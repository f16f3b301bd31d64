"""Spatter: rain or mud on the lens."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.droplets import shaded_droplets
from metarobust.corruptions.separable import gaussian_matrix, separable

_WATER = (175, 238, 238)
_MUD = (63, 42, 20)
_WATER_GREY = 219
_MUD_GREY = 63


@register
class Spatter(Corruption):
    """Blots where smoothed normal noise exceeds a threshold: water is added, mud covers.

    Parameters: (mean, sd, sigma, threshold, k, mud): the noise and its smoothing in pixels, the
    threshold, then for water (mud = 0) the strength of the brightest droplet, for mud (mud = 1) the
    smoothing of the blots' rim in pixels.

    Water divides by the brightest droplet, of which an image may have none: the published
    generators then give NaN, in 1 of 40 images at 32 x 32 and level 1; here such an image stays
    dry, as under mud. Liquid above 1 counts as 1; in their 8 bits it wraps round to 0. On one
    channel mud has MNIST-C's grey (63, the red of the brown) and water the luma of its turquoise;
    MNIST-C itself spatters mud at all its levels. The blots depend on the draws alone, so the
    gradient is exact.
    """

    name = "spatter"
    summary = "splashes water or mud on the lens"
    group = "extra"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard normal values [H, W]."""
        return torch.randn(shape[1:], generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Splash."""
        mean, sd, sigma, threshold, k, mud = parameters
        # In float64, so that no batch size rounds a pixel across a threshold.
        liquid = _blur(mean + sd * draws.double()[:, None], sigma)
        grey = images.shape[1] == 1
        if mud:
            cover = _blur((liquid > threshold).double(), k)
            cover = torch.where(cover < 0.8, 0, cover).to(images)
            return images * (1 - cover) + _colour(images, (_MUD_GREY,) if grey else _MUD) * cover
        shade = shaded_droplets(torch.where(liquid < threshold, 0, liquid))
        brightest = shade.amax((-2, -1), keepdim=True)
        strength = k * shade / torch.where(brightest > 0, brightest, 1)
        return images + _colour(images, (_WATER_GREY,) if grey else _WATER) * strength.to(images)


def _blur(layer: Tensor, sigma: float) -> Tensor:
    height, width = layer.shape[-2:]
    return separable(layer, gaussian_matrix(height, sigma), gaussian_matrix(width, sigma))


def _colour(images: Tensor, colour: tuple[int, ...]) -> Tensor:
    return images.new_tensor(colour)[:, None, None] / 255
