"""Glass blur: the view through frosted glass, pixels traded with their neighbours."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.separable import gaussian_matrix, separable

_MOST_ROUNDS = 3


@register
class GlassBlur(Corruption):
    """A Gaussian blur, pixels replaced by near ones, and the blur again.

    Parameters: (sigma, delta, rounds): the blur in pixels, how far a pixel may come from in pixels
    (rounded, at least 1), and how often pixels are replaced.

    The published generators mean to swap two pixels, but on colour images the swap overwrites its
    own source and copies: of 1024 pixels some 300 are lost in one round. CIFAR-C, Tiny-ImageNet-C
    and ImageNet-C were made so, and so is this, for one channel too. MNIST-C's grey images were
    truly swapped, each pixel with probability one half. Offsets run from -delta to delta - 1, and
    delta + 1 lines at the top and left, delta - 1 at the bottom and right, stay, as published. The
    replacement depends on the draws alone, so the gradient is exact.
    """

    name = "glass-blur"
    summary = "replaces every pixel by one nearby, between two blurs"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [3, 2, H, W]: a vertical and a horizontal offset for every round."""
        return torch.rand((_MOST_ROUNDS, 2, *shape[1:]), generator=generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Blur, replace, blur."""
        sigma, delta, rounds = parameters
        reach = max(1, round(delta))
        channels, height, width = images.shape[1:]
        rows, columns = gaussian_matrix(height, sigma), gaussian_matrix(width, sigma)
        flat = separable(images, rows, columns).flatten(2)
        for numbers in draws.unbind(1)[: int(rounds)]:
            offsets = (numbers * 2 * reach).floor().long() - reach
            flat = flat.gather(2, sources(offsets, reach)[:, None].expand(-1, channels, -1))
        return separable(flat.view_as(images), rows, columns)


def sources(offsets: Tensor, reach: int) -> Tensor:
    """Which pixel ends up where, when pixels are overwritten one by one from the last to the first.

    A pixel copies its neighbour's value of that moment: a later pixel has been overwritten by then,
    an earlier one has not. The chain of later neighbours is followed by pointer doubling, to its
    last pixel, which copies an original.

    Args:
        offsets: int64 [n, 2, H, W] in [-reach, reach): the neighbour, in rows and columns.
        reach: the frame that is left alone.

    Returns:
        int64 [n, H * W], positions in the flattened image.
    """
    height, width = offsets.shape[-2:]
    rows = torch.arange(height, device=offsets.device)[:, None]
    columns = torch.arange(width, device=offsets.device)
    here = rows * width + columns
    inside = (rows > reach) & (rows <= height - reach)
    inside = inside & (columns > reach) & (columns <= width - reach)
    neighbours = torch.where(inside, here + offsets[:, 0] * width + offsets[:, 1], here).flatten(1)
    last = torch.maximum(neighbours, here.flatten())
    for _ in range(math.ceil(math.log2(height * width))):
        last = last.gather(1, last)
    return neighbours.gather(1, last)
