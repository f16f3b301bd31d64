"""Noise with a prescribed spectrum, after the C-bar generators."""

import math

import torch
from torch import Tensor


def radius(height: int, width: int) -> Tensor:
    """Distance of every frequency from the zero frequency at [H // 2, W // 2], float64 [H, W].

    For odd sides the generators put the centre half a step off; so does this.
    """
    rows = torch.arange(height, dtype=torch.float64)[:, None] - height / 2
    columns = torch.arange(width, dtype=torch.float64) - width / 2
    return torch.hypot(rows, columns)


def phase_noise(amplitude: Tensor, uniform: Tensor) -> Tensor:
    """Noise of a given amplitude spectrum and random phases, of standard deviation 1.

    Phases of the left half are mirrored through the centre onto the right half, without the change
    of sign that would make the inverse transform real; its real part is taken, as published.

    Args:
        amplitude: float64 [H, W], the zero frequency at [H // 2, W // 2].
        uniform: float64 [..., H, W] in [0, 1): phases as shares of a turn, of which half are used.

    Returns:
        [..., H, W].
    """
    height, width = amplitude.shape
    rows = torch.arange(height, device=uniform.device)[:, None]
    columns = torch.arange(width, device=uniform.device)
    left = (columns < width // 2) | ((2 * columns + 1 == width) & (rows < height // 2))
    phases = torch.where(left, uniform, uniform.flip(-2, -1)) * (2 * math.pi)
    if height % 2 and width % 2:
        phases[..., height // 2, width // 2] = 0
    amplitude = amplitude.to(uniform.device)
    spectrum = torch.roll(
        torch.polar(amplitude.expand_as(phases).contiguous(), phases),
        (height // 2, width // 2),
        (-2, -1),
    )
    noise = torch.fft.ifft2(spectrum).real
    deviation = noise.var((-2, -1), correction=0, keepdim=True).sqrt()
    scaled: Tensor = noise / deviation.clamp_min(torch.finfo(noise.dtype).tiny)
    return scaled
