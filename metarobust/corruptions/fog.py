"""Fog: a plasma cloud between the camera and the scene."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.severities import choose_table

_MNIST_C_SIDE = 256


@register
class Fog(Corruption):
    """(x + add * cloud) * m / (m + add), with m the largest value of the image.

    The cloud is a diamond-square fractal with values in [0, 1].

    Parameters: (add, decay): the density of the fog, and the factor by which the roughness falls
    from one scale to the next, smaller for finer fog.

    A cloud has the side of the next power of two and is cut to the image; at 28 x 28 x 1 it is cut
    from a cloud of 256, as in MNIST-C, and so nearly a plain grey veil.
    """

    name = "fog"
    summary = "adds a plasma cloud and lowers the contrast"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values in [-1, 1], one for each point of the cloud."""
        channels, height, width = shape
        side = 1 << (max(height, width, 2) - 1).bit_length()
        if choose_table(height, width, channels) == "mnist-c":
            side = _MNIST_C_SIDE
        return 2 * torch.rand((side, side), generator=generator) - 1

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the cloud."""
        add, decay = parameters
        height, width = images.shape[-2:]
        cloud = plasma(draws, decay)[:, None, :height, :width].to(images)
        largest = images.amax((1, 2, 3), keepdim=True)
        return (images + add * cloud) * largest / (largest + add)


def plasma(draws: Tensor, decay: float) -> Tensor:
    """The diamond-square fractal on a torus, scaled to [0, 1].

    The centre of every square is the mean of its corners plus noise, then the centre of every edge
    is the mean of its four neighbours plus noise, at half the spacing and less noise each time.
    The noise of a scale is wibble^2 * U(-1, 1), with wibble = 100 / decay^k: the published code
    multiplies by wibble twice.

    Args:
        draws: [n, M, M] in [-1, 1], M a power of two from 2; the noise of each point.
        decay: above 1.

    Returns:
        [n, M, M].
    """
    heights = torch.zeros_like(draws)
    step = draws.shape[-1]
    wibble = 100.0
    while step >= 2:
        half = step // 2
        noise = wibble**2 * draws
        corners = heights[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        squares = (pairs + pairs.roll(-1, 2)) / 4 + noise[:, half::step, half::step]
        heights[:, half::step, half::step] = squares
        across = squares + squares.roll(1, 1) + corners + corners.roll(-1, 2)
        heights[:, ::step, half::step] = across / 4 + noise[:, ::step, half::step]
        down = squares + squares.roll(1, 2) + corners + corners.roll(-1, 1)
        heights[:, half::step, ::step] = down / 4 + noise[:, half::step, ::step]
        step, wibble = half, wibble / decay
    heights -= heights.amin((1, 2), keepdim=True)
    return heights / heights.amax((1, 2), keepdim=True)
