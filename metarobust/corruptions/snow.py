"""Snow: flakes driven by the wind over a whitened scene."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.colour import luma
from metarobust.corruptions.motion_blur import smear
from metarobust.corruptions.zoom_blur import magnify


@register
class Snow(Corruption):
    """A layer of smeared flakes, laid over the image twice, the second time turned by 180 degrees.

    Flakes are normal noise, magnified, with everything below a threshold removed, and smeared
    upwards in a direction within 45 degrees of the vertical. The image is first whitened:
    mix * x + (1 - mix) * max(x, 1.5 * luma(x) + 0.5).

    Parameters: (mean, sd, zoom, threshold, radius, sigma, mix): mean and standard deviation of the
    noise, magnification of the flakes, threshold, length and standard deviation of the trace in
    pixels, and the share of the image that is not whitened.
    """

    name = "snow"
    summary = "adds wind-driven flakes and whitens"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """H * W standard normal values, the layer, and a uniform one, the direction."""
        height, width = shape[1:]
        noise = torch.randn(height * width, generator=generator)
        return torch.cat((noise, torch.rand(1, generator=generator)))

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Whiten and add the flakes."""
        mean, sd, zoom, threshold, radius, sigma, mix = parameters
        # In float64, so that no batch size rounds a flake across the threshold.
        noise = draws[:, :-1].double().reshape(-1, 1, *images.shape[-2:])
        flakes = magnify(mean + sd * noise, zoom)
        flakes = torch.where(flakes < threshold, 0, flakes).clamp(0, 1)
        flakes = smear(flakes, -135 + 90 * draws[:, -1].double(), radius, sigma).to(images)
        white = torch.maximum(images, 1.5 * luma(images) + 0.5)
        return mix * images + (1 - mix) * white + flakes + flakes.flip(-2, -1)
