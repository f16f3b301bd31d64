"""Convolutions whose kernels and images are held so that a CPU is quick on them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.engine import channels_last
from metarobust.core.normalisation import Normalisation, Statistics


class NormalisedConvolution(nn.Module):
    """A convolution of odd side without bias, which keeps the size, and batch normalisation.

    The kernel is stored as [out, side, side, in] (see `channels_last`), drawn for ReLUs (He et al.
    2015).

    Args:
        channels_in: of the images that come.
        channels_out: of the images that go.
        slot: of its normalisation layer.
        side: of the kernel.
    """

    def __init__(self, channels_in: int, channels_out: int, slot: int, *, side: int = 3) -> None:
        super().__init__()
        kernel = torch.empty(channels_out, channels_in, side, side)
        nn.init.kaiming_normal_(kernel, nonlinearity="relu")
        self.weight = nn.Parameter(kernel.permute(0, 2, 3, 1).contiguous())
        self.norm = Normalisation(channels_out, slot)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Map [n, C_in, H, W] to [n, C_out, H, W]."""
        return statistics.linear_then_normalise(_convolve, x, self.weight, self.norm)


def as_channels_last(x: Tensor) -> Tensor:
    """Images [n, C, H, W] in the layout of `channels_last`.

    Flattening renews the strides, which a single channel leaves undetermined.
    """
    channels, height, width = x.shape[1:]
    pixels = x.permute(0, 2, 3, 1).flatten(1)
    return channels_last(pixels.view(-1, height, width, channels))


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, channels_last(weight), bias, padding=weight.shape[1] // 2)
