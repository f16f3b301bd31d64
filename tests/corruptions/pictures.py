"""Test pictures, and the way from one picture and one corruption to comparable arrays."""

import numpy as np
import numpy.typing as npt
import torch

from metarobust.corruptions import CORRUPTIONS
from metarobust.corruptions.severities import parameters

Array = npt.NDArray[np.float64]


def picture(height: int, width: int, channels: int) -> Array:
    """Smooth structure, edges and noise, on the grid of 8-bit values, [H, W, C]."""
    rng = np.random.default_rng(height * width)
    rows, columns = np.mgrid[:height, :width][..., None] / max(height, width)
    wave = 0.5 + 0.4 * np.sin(9 * rows + 5 * columns + 2 * np.arange(channels))
    wave[height // 3 : height // 2, width // 4 : width // 2] = 1.0
    noisy = wave + 0.1 * rng.standard_normal((height, width, channels))
    return np.round(noisy.clip(0, 1) * 255) / 255


def as_batch(x: Array) -> torch.Tensor:
    return torch.from_numpy(x).float().permute(2, 0, 1)[None]


def as_array(batch: torch.Tensor) -> Array:
    return batch[0].permute(1, 2, 0).double().numpy()


def corrupted(
    name: str, x: Array, severity: int, seed: int = 0
) -> tuple[Array, Array, tuple[float, ...]]:
    """A picture corrupted in float64, the random numbers that did it, and the level."""
    height, width, channels = x.shape
    level = parameters(name, severity, height=height, width=width, channels=channels)
    generator = torch.Generator().manual_seed(1000 * seed + severity)
    draws = CORRUPTIONS[name].draw((channels, height, width), generator).double()
    batch = torch.from_numpy(x).permute(2, 0, 1)[None]
    found = CORRUPTIONS[name].apply(batch, draws[None], level).clamp(0, 1)
    assert found.dtype == torch.float64
    return as_array(found), draws.numpy(), level
