"""Inverse and stripe: brightness turned round, everywhere or at both sides."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class Inverse(Corruption):
    """1 - x. Published at one strength and without parameters: every severity is the same."""

    name = "inverse"
    summary = "inverts every value"
    group = "mnist-c"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Invert."""
        return 1 - images


@register
class Stripe(Corruption):
    """1 - x in the left and in the right quarter of the columns: of 28, the first and last 7.

    Published at one strength and without parameters: every severity is the same.
    """

    name = "stripe"
    summary = "inverts the left and the right quarter"
    group = "mnist-c"

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Invert the two stripes."""
        width = images.shape[-1]
        columns = torch.arange(width, device=images.device)
        inverted = (columns < width // 4) | (columns >= width - width // 4)
        return torch.where(inverted, 1 - images, images)
