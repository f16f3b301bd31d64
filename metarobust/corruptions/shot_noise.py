"""Shot noise: light counted photon by photon."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class ShotNoise(Corruption):
    """Poisson(x c) / c, one draw per pixel and channel.

    Parameters: (c,), the number of photons of a white pixel.

    The counts are Poisson quantiles of uniform draws, because the numbers of a corruption are drawn
    before the image is seen; their distribution is exact. Counts are whole: there is no gradient.
    """

    name = "shot-noise"
    summary = "replaces every value by a Poisson count of photons"
    group = "common"
    differentiable = False

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform values [C, H, W], float64: a float32 cannot tell the upper tail from 1."""
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Count."""
        (photons,) = parameters
        return (poisson_quantile(draws, images.double() * photons) / photons).to(images)


def poisson_quantile(probabilities: Tensor, rates: Tensor) -> Tensor:
    """The smallest count whose cumulative probability reaches each probability.

    The Cornish-Fisher expansion is right within a few counts; from there the cumulative probability
    Q(count + 1, rate), the upper incomplete gamma function, is followed down or up.

    Args:
        probabilities: float64 in [0, 1), taken as at least 1e-12 from either end.
        rates: float64 of the same shape, at least 0.
    """
    wanted = probabilities.clamp(1e-12, 1 - 1e-12)
    # A rate of 0 would divide 0 by 0; at this one every count wanted is 0.
    rates = rates.clamp_min(1e-15)
    normal = torch.special.ndtri(wanted)
    count: Tensor = (rates + rates.sqrt() * normal + (normal**2 - 1) / 6).floor().clamp_min(0)
    reached = torch.special.gammaincc(count + 1, rates)
    mass = torch.exp(torch.xlogy(count, rates) - rates - torch.lgamma(count + 1))
    while (lower := (count > 0) & (reached - mass >= wanted)).any():
        reached = torch.where(lower, reached - mass, reached)
        mass = torch.where(lower, mass * count / rates, mass)
        count = count - lower.double()
    while (higher := reached < wanted).any():
        count = count + higher.double()
        mass = torch.where(higher, mass * rates / count, mass)
        reached = torch.where(higher, reached + mass, reached)
    return count
