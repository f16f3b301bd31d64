"""Sparkles and inverse sparkles: stars of light, and light everywhere but in one star."""

import math

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.sampling import pixel_grid

_STARS = 5
_FEWEST, _MOST = 50, 200


@register
class Sparkles(Corruption):
    """Five white stars at random places.

    Parameters: (level,): the stars' radius is level / 100 of the image's longer side, each ray's
    drawn around it with a standard deviation of a quarter, and at least 1 pixel.
    """

    name = "sparkles"
    summary = "adds five white stars"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Five rows: place (2) and number of rays, uniform; then 199 normal lengths of rays."""
        return _star_draws(_STARS, generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Lay one star after the other over the image."""
        (level,) = parameters
        height, width = images.shape[-2:]
        size = draws.new_tensor([height, width])
        radius = level / 100 * max(height, width)
        dark = torch.ones_like(images[:, :1])
        for star in draws.unbind(1):
            rays = (radius + 0.25 * radius * star[:, 3:]).clamp_min(1)
            light = star_light(height, width, star[:, :2] * size, _count(star[:, 2]), rays, 1.0)
            dark = dark * (1 - light[:, None].to(images))
        return 1 - (1 - images) * dark


@register
class InverseSparkles(Corruption):
    """White, but for one star of the image itself in the middle half.

    Parameters: (level,): the image's share falls as (ray / distance)^(0.26 * level). The rays are a
    quarter of the image's longer side, with a standard deviation of a quarter of that.
    """

    name = "inverse-sparkles"
    summary = "whitens all but one star"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """One row: place (2) and number of rays, uniform; then 199 normal lengths of rays."""
        return _star_draws(1, generator)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Whiten outside the star."""
        (level,) = parameters
        height, width = images.shape[-2:]
        star = draws[:, 0]
        centre = (0.25 + 0.5 * star[:, :2]) * draws.new_tensor([height, width])
        rays = 0.25 * max(height, width) * (1 + 0.25 * star[:, 3:])
        light = star_light(height, width, centre, _count(star[:, 2]), rays, 0.13 * level)
        return 1 - light[:, None].to(images) * (1 - images)


def star_light(
    height: int, width: int, centre: Tensor, count: Tensor, rays: Tensor, sharpness: float
) -> Tensor:
    """The light of a star at every pixel: (ray / distance)^(2 sharpness), brightest between rays.

    Args:
        height: of the image.
        width: of the image.
        centre: float64 [n, 2], row and column.
        count: int64 [n], number of rays, spaced evenly.
        rays: float64 [n, 199], lengths in pixels, of which the first `count` are used.
        sharpness: of the fall with distance.

    Returns:
        float64 [n, H, W] in [0, 1].
    """
    rows, columns = pixel_grid(height, width, centre.device)
    down, right = rows - centre[:, :1, None], columns - centre[:, 1:, None]
    turn = (torch.atan2(right, down) + math.pi) / (2 * math.pi) * count[:, None, None]
    ray = turn.long()
    share = turn - ray
    before, after = (
        rays.gather(1, ((ray + i) % count[:, None, None]).flatten(1)).view_as(turn) for i in (0, 1)
    )
    length = torch.lerp(before, after, share)
    fall = (length**2 / (down**2 + right**2 + 1e-4)) ** sharpness
    return ((1 - (share - 0.5) ** 2) * fall).clamp(0, 1)


def _star_draws(stars: int, generator: torch.Generator) -> Tensor:
    where = torch.rand((stars, 3), generator=generator, dtype=torch.float64)
    lengths = torch.randn((stars, _MOST - 1), generator=generator, dtype=torch.float64)
    return torch.cat((where, lengths), 1)


def _count(uniform: Tensor) -> Tensor:
    return _FEWEST + (uniform * (_MOST - _FEWEST)).long()
