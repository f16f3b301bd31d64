"""Gaussian noise: what a sensor adds in poor light."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class GaussianNoise(Corruption):
    """x + sd * n, with n standard normal, one value per pixel and channel.

    Parameters: (sd,), in units of the [0, 1] range.
    """

    name = "gaussian-noise"
    summary = "adds independent normal noise to every value"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard normal values [C, H, W]."""
        return torch.randn(shape, generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the scaled draws."""
        (sd,) = parameters
        return images + sd * draws
