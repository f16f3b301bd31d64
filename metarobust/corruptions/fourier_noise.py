"""Blue noise sample and brownish noise: C-bar's two corruptions made in the frequency domain."""

import torch
from torch import Tensor

from metarobust.corruptions.base import Corruption, register
from metarobust.corruptions.spectral import phase_noise, radius


@register
class BlueNoiseSample(Corruption):
    """Pixels kept where blue noise, whose amplitude grows with frequency, exceeds a threshold.

    Parameters: (level,): the threshold is 0.3 * level - 2.5 standard deviations of the noise. All
    channels of a pixel are kept together; the others become black.
    """

    name = "blue-noise-sample"
    summary = "blackens evenly scattered pixels"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform phases [H, W], float64."""
        return torch.rand(shape[1:], generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Keep a sample of the pixels."""
        (level,) = parameters
        noise = phase_noise(radius(*images.shape[-2:]), draws.double())
        return images * (noise > 0.3 * level - 2.5)[:, None]


@register
class BrownishNoise(Corruption):
    """x + 64 / 255 * level / 10 * noise, each channel's noise of amplitude 1 / (1 + frequency^2).

    Parameters: (level,).
    """

    name = "brownish-noise"
    summary = "adds cloudy noise of low frequency"
    group = "c-bar"

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform phases [C, H, W], float64."""
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Add the noise."""
        (level,) = parameters
        amplitude = 1 / (radius(*images.shape[-2:]) ** 2 + 1)
        noise = phase_noise(amplitude, draws.double())
        return images + (6.4 * level / 255) * noise.to(images)
