"""Colour arithmetic: luma, and the value and saturation of HSV."""

from typing import NamedTuple

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in ITU-R BT.601, used by OpenCV and Pillow."""


def luma(images: Tensor, weights: tuple[float, float, float] = LUMA) -> Tensor:
    """The grey version of [n, C, H, W] images as [n, 1, H, W]; grey images are their own."""
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor(weights)[:, None, None]).sum(1, keepdim=True)


class Cone(NamedTuple):
    """Images as points of the HSV cone, with the hue kept as each channel's share of the chroma.

    x = value * (1 - saturation * lack), so that value and saturation can be changed without ever
    computing an angle.

    Attributes:
        value: the largest channel, [n, 1, H, W].
        saturation: (largest - smallest) / largest, and 0 for black, [n, 1, H, W].
        lack: (largest - x) / (largest - smallest), and 0 for grey pixels, [n, C, H, W].
    """

    value: Tensor
    saturation: Tensor
    lack: Tensor

    def images(self) -> Tensor:
        """Back to channels, [n, C, H, W]."""
        return self.value * (1 - self.saturation * self.lack)


def cone(images: Tensor) -> Cone:
    """The HSV cone of [n, C, H, W] images.

    Grey pixels have no hue. scikit-image gives them hue 0, so that raising their saturation turns
    them red; here they stay grey at any saturation.
    """
    value, smallest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - smallest
    saturation = chroma / torch.where(value > 0, value, 1)
    lack = (value - images) / torch.where(chroma > 0, chroma, 1)
    return Cone(value, saturation, lack)
