"""Impulse noise: dead and saturated sensor cells, "salt and pepper"."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class ImpulseNoise(Corruption):
    """A share of the values, each pixel and channel by itself, becomes 0 or 1 with equal chance.

    Parameters: (amount,), the share.

    The arithmetic of `skimage.util.random_noise(mode="s&p")`. That function draws from a generator
    of its own, so that the published generators give other noise at every run; here it is seeded.
    """

    name = "impulse-noise"
    summary = "sets a share of the values to 0 or 1"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [2, C, H, W]: whether a value is hit, and whether it turns white."""
        return torch.rand((2, *shape), generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Replace the values that are hit."""
        (amount,) = parameters
        hit, white = draws.unbind(1)
        return torch.where(hit <= amount, (white <= 0.5).to(images), images)
