"""Each corruption against the arithmetic of the published generators, in numpy, scipy and Pillow.

The references take one image [H, W, C] in [0, 1], as the generators do after `np.array(x) / 255`.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats

from metarobust.corruptions import CORRUPTIONS, corrupt
from metarobust.corruptions.severities import parameters
from tests.corruptions.pictures import Array, as_array, as_batch, picture

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (84, 84, 3), (20, 33, 3), (120, 90, 1)]


def gaussian_blur(x: Array, sigma: float) -> Array:
    """skimage.filters.gaussian(x, sigma, channel_axis=-1), which is this call."""
    blurred = ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4.0)
    return np.clip(blurred, 0, 1)


def contrast(x: Array, c: float) -> Array:
    means = np.mean(x, axis=(0, 1), keepdims=True)
    return np.clip((x - means) * c + means, 0, 1)


def pixelate(x: Array, c: float) -> Array:
    height, width, _ = x.shape
    channels = []
    for channel in np.moveaxis(x, -1, 0):
        image = Image.fromarray(channel.astype(np.float32))
        image = image.resize((int(width * c), int(height * c)), Image.Resampling.BOX)
        channels.append(np.asarray(image.resize((width, height), Image.Resampling.BOX)))
    return np.stack(channels, -1)


REFERENCES = {"gaussian-blur": gaussian_blur, "contrast": contrast, "pixelate": pixelate}


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", REFERENCES)
def test_parity_to_float32_rounding(name: str, size: tuple[int, int, int], severity: int) -> None:
    reference: Callable[..., Array] = REFERENCES[name]
    height, width, channels = size
    level = parameters(name, severity, height=height, width=width, channels=channels)
    x = picture(*size)
    found = as_array(corrupt(name, as_batch(x), torch.tensor([0]), severity, seed=0))
    np.testing.assert_allclose(found, reference(x, *level), atol=1e-6, rtol=0)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3), (84, 84, 3)])
def test_pixelate_is_within_one_grey_level_of_pillow_on_8_bits(
    size: tuple[int, int, int], severity: int
) -> None:
    height, width, channels = size
    (c,) = parameters("pixelate", severity, height=height, width=width, channels=channels)
    x = picture(*size)
    image = Image.fromarray(np.uint8(np.round(x * 255)).squeeze())
    image = image.resize((int(width * c), int(height * c)), Image.Resampling.BOX)
    expected = np.asarray(image.resize((width, height), Image.Resampling.BOX)).reshape(x.shape)
    found = as_array(corrupt("pixelate", as_batch(x), torch.tensor([0]), severity, seed=0))
    assert np.abs(np.round(found * 255) - expected).max() <= 1


@pytest.mark.parametrize("severity", range(1, 6))
def test_gaussian_noise_is_normal_with_the_published_deviation(severity: int) -> None:
    (sd,) = parameters("gaussian-noise", severity, height=28, width=28, channels=1)
    grey = torch.full((40, 1, 28, 28), 0.5)
    found = corrupt("gaussian-noise", grey, torch.arange(40), severity, seed=3)
    inside = found[(found > 0) & (found < 1)].numpy() - 0.5
    truncated = stats.truncnorm(-0.5 / sd, 0.5 / sd, scale=sd)
    assert stats.kstest(inside, truncated.cdf).pvalue > 1e-3
    clamped = 1 - len(inside) / found.numel()
    assert clamped == pytest.approx(2 * stats.norm.sf(0.5 / sd), abs=0.01)


def test_gaussian_noise_adds_the_scaled_draws() -> None:
    corruption = CORRUPTIONS["gaussian-noise"]
    x = as_batch(picture(32, 32, 3))
    draws = corruption.draw((3, 32, 32), torch.Generator().manual_seed(0))[None]
    found = corruption.apply(x, draws, (0.08,)).clamp(0, 1)
    expected = np.clip(x.double().numpy() + 0.08 * draws.double().numpy(), 0, 1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)
