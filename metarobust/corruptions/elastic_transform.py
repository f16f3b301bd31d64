"""Elastic transform: the image stretched like a sheet of rubber."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import bilinear, pixel_grid
from metarobust.corruptions.separable import gaussian_matrix, separable
from metarobust.corruptions.severities import choose_table

_CORNERS = 6


@register
class ElasticTransform(Corruption):
    """A random affine map, then a smooth random displacement of every pixel, both bilinear.

    Parameters: (alpha, sigma, affine), in units of the image's longer side: the amplitude of the
    displacement before it is smoothed, the standard deviation of its smoothing, and how far each of
    three points of the affine map moves at most.

    Severity is not an order: levels 1 and 2 bend the whole image, 3 to 5 jitter it. ImageNet-C
    multiplied by 244 where 224 was meant (the authors say so in their code); here it is the side.
    Both steps mirror the image at its border, except at 28 x 28 x 1, where black moves in as in
    MNIST-C. The maps depend on the draws alone, so the gradient is exact.
    """

    name = "elastic-transform"
    summary = "moves pixels by an affine map and a random field"
    group = "common"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values in [-1, 1]: 6 for the three points, then 2 * H * W for the field."""
        height, width = shape[1:]
        return 2 * torch.rand(_CORNERS + 2 * height * width, generator=generator) - 1

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Map, then displace."""
        channels, height, width = images.shape[1:]
        black = choose_table(height, width, channels) == "mnist-c"
        alpha, sigma, affine = (value * max(height, width) for value in parameters)
        numbers = draws.double()
        rows, columns = pixel_grid(height, width, images.device)
        moved = affine * numbers[:, :_CORNERS].view(-1, 3, 2)
        inverse = inverse_affine(moved, height, width)[..., None, None]
        images = bilinear(
            images,
            inverse[:, 1, 0] * columns + inverse[:, 1, 1] * rows + inverse[:, 1, 2],
            inverse[:, 0, 0] * columns + inverse[:, 0, 1] * rows + inverse[:, 0, 2],
            "zero" if black else "mirror",
        )
        if alpha == 0:
            return images
        field = alpha * separable(
            numbers[:, _CORNERS:].view(-1, 2, height, width),
            gaussian_matrix(height, sigma, truncate=3.0, border="reflect"),
            gaussian_matrix(width, sigma, truncate=3.0, border="reflect"),
        )
        return bilinear(
            images, rows + field[:, 1], columns + field[:, 0], "zero" if black else "reflect"
        )


def inverse_affine(moved: Tensor, height: int, width: int) -> Tensor:
    """From the pixels of the result to those of the image, when three points of the image move.

    The points are corners of the square about the centre whose half side is a third of the image.

    Args:
        moved: float64 [n, 3, 2], the way of each point in (column, row).
        height: of the image.
        width: of the image.

    Returns:
        float64 [n, 2, 3]: (column, row) of the image = matrix @ (column, row, 1) of the result.
    """
    half = max(min(height, width) // 3, 1)
    centre = moved.new_tensor([width // 2, height // 2])
    before = centre + half * moved.new_tensor([[1, 1], [1, -1], [-1, -1]])
    after = before + moved
    ones = torch.ones_like(after[..., :1])
    # after @ matrix.T = before, row by row.
    solved: Tensor = torch.linalg.solve(torch.cat((after, ones), -1), before.expand_as(after))
    return solved.mT
