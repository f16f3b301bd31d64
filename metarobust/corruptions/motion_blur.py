"""Motion blur: the trace of a camera that moves while the shutter is open."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import pick, pixel_grid


@register
class MotionBlur(Corruption):
    """A one-sided normal trace in a direction between -45 and 45 degrees, one for each image.

    Parameters: (radius, sigma), in pixels.
    """

    name = "motion-blur"
    summary = "smears every pixel in one direction"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """One uniform value [1], the direction."""
        return torch.rand(1, generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Smear."""
        return smear(images, -45 + 90 * draws[:, 0].double(), *parameters)


def smear(images: Tensor, degrees: Tensor, radius: float, sigma: float) -> Tensor:
    """ImageMagick's `MotionBlurImage`, which the published generators call.

    Pixel i of the trace, of 2 * ceil(radius) + 1 pixels, weighs exp(-i^2 / (2 sigma^2)) and lies i
    steps off in the given direction, rounded to whole pixels; the border pixel is repeated beyond
    the border.

    Args:
        images: [n, C, H, W].
        degrees: float64 [n], 0 to the right, 90 downwards.
        radius: in pixels.
        sigma: in pixels, above 0.
    """
    steps = torch.arange(2 * math.ceil(radius) + 1, dtype=torch.float64)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    height, width = images.shape[-2:]
    rows, columns = pixel_grid(height, width, images.device)
    radians = torch.deg2rad(degrees)[:, None, None]
    smeared = torch.zeros_like(images)
    for step, weight in zip(steps.tolist(), weights.tolist(), strict=True):
        down = (step * radians.sin() - 0.5).ceil().long()
        right = (step * radians.cos() - 0.5).ceil().long()
        there = (rows.long() + down).expand(-1, height, width)
        across = (columns.long() + right).expand(-1, height, width)
        smeared = smeared + weight * pick(images, there, across, "nearest")
    return smeared
