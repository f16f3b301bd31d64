"""Frost: ice on the lens, drawn by a formula and not taken from photographs."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.colour import luma

_ICE = (
    (78, 149, 166, 14),
    (201, 205, 215, 18),
    (201, 205, 215, 18),
    (138, 153, 165, 26),
    (112, 123, 135, 35),
)
"""Means of red, green and blue, and the mean standard deviation within 32 x 32 crops, of the five
photographs that the published generators draw from, at a fifth of their size and in 255ths. The
second and the third are one photograph; of the six files that come with it the last is never drawn.
"""

_DIRECTIONS = 6
_ALIGNMENT = 10.0


@register
class Frost(Corruption):
    """scene * x + ice * frost, with a frost made of noise.

    Parameters: (scene, ice), the weights of the image and of the frost.

    The published generators crop photographs of frost, which are not shipped here, so numbers of
    this corruption are close to published ones in kind only. Kept of the photographs: the mean
    colour and the contrast, of one of the five at random, and the fall of their power spectrum,
    about 1 / frequency. Crystals are needles of noise in six directions.
    """

    name = "frost"
    summary = "overlays procedural frost (no photographs)"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """6 * H * W standard normal values, and a uniform one that selects the kind of ice."""
        height, width = shape[1:]
        noise = torch.randn(_DIRECTIONS * height * width, generator=generator)
        return torch.cat((noise, torch.rand(1, generator=generator)))

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Lay the frost over the image."""
        scene, ice = parameters
        kinds = draws.new_tensor(_ICE)[(draws[:, -1] * len(_ICE)).long()] / 255
        colour, contrast = kinds[:, :3, None, None], kinds[:, 3:, None, None]
        if images.shape[1] == 1:
            colour = luma(colour)
        noise = draws[:, :-1].reshape(-1, _DIRECTIONS, *images.shape[-2:])
        frost = (colour + contrast * needles(noise)[:, None]).clamp(0, 1)
        return scene * images + ice * frost.to(images)


def needles(noise: Tensor) -> Tensor:
    """The brightest of several layers of noise, each drawn out in its own direction.

    A layer has the amplitude spectrum f^-0.6 exp(a (cos 2 (angle - direction) - 1)).

    Args:
        noise: standard normal [n, D, H, W], one layer for each of D evenly spaced directions.

    Returns:
        [n, H, W] of mean 0 and standard deviation 1.
    """
    layers, height, width = noise.shape[1:]
    rows = torch.fft.fftfreq(height, device=noise.device)[:, None].expand(-1, width)
    columns = torch.fft.fftfreq(width, device=noise.device).expand(height, -1)
    frequency = torch.hypot(rows, columns)
    frequency[0, 0] = torch.inf
    directions = math.pi / layers * torch.arange(layers, device=noise.device)[:, None, None]
    turned = torch.atan2(rows, columns) - directions
    spectrum = frequency**-0.6 * torch.exp(_ALIGNMENT * ((2 * turned).cos() - 1))
    crystals = torch.fft.ifft2(torch.fft.fft2(noise) * spectrum).real.amax(1)
    crystals = crystals - crystals.mean((-2, -1), keepdim=True)
    deviation = crystals.square().mean((-2, -1), keepdim=True).sqrt()
    scaled: Tensor = crystals / deviation.clamp_min(torch.finfo(noise.dtype).tiny)
    return scaled
