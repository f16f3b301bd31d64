"""Speckle noise: the grain of radar and ultrasound, stronger where it is bright."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class SpeckleNoise(Corruption):
    """x + x * sd * n, with n standard normal, one value per pixel and channel.

    Parameters: (sd,), relative to the value itself. Black stays black.
    """

    name = "speckle-noise"
    summary = "adds normal noise in proportion to every value"
    group = "extra"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard normal values [C, H, W]."""
        return torch.randn(shape, generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the draws, scaled by the image."""
        (sd,) = parameters
        return images + images * sd * draws
