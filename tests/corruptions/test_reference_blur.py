"""Defocus, glass, motion and zoom blur against the published arithmetic, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from metarobust.corruptions.defocus_blur import disk
from metarobust.corruptions.glass_blur import sources
from metarobust.corruptions.motion_blur import smear
from tests.corruptions.pictures import Array, as_array, corrupted, picture

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (84, 84, 3), (20, 33, 3)]
SQUARE = [(28, 28, 1), (32, 32, 3), (33, 33, 1), (64, 64, 3), (84, 84, 3)]


def defocus_blur(x: Array, radius: float, alias: float) -> Array:
    """The disk of the generators, smoothed and applied as OpenCV does (reflect-101)."""
    reach, half = (8, 1) if radius <= 8 else (int(radius), 2)
    line = np.arange(-reach, reach + 1)
    kernel = (line[:, None] ** 2 + line**2 <= radius**2).astype(float)
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * alias**2))
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, weights / weights.sum(), axis, mode="mirror")
    kernel /= (line[:, None] ** 2 + line**2 <= radius**2).sum()
    return ndimage.correlate(x, kernel[..., None], mode="mirror")


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_defocus_blur(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, _, level = corrupted("defocus-blur", x, severity)
    np.testing.assert_allclose(found, defocus_blur(x, *level), atol=1e-12)


@pytest.mark.parametrize("radius", [0.3, 1, 3, 8, 10])
def test_disk_is_a_weighting(radius: float) -> None:
    kernel = disk(radius, 0.5)
    assert kernel.sum().item() == pytest.approx(1, abs=0.02 if radius >= 8 else 1e-12)
    torch.testing.assert_close(kernel, kernel.T)
    assert (kernel >= 0).all()


def glass_blur(x: Array, draws: Array, sigma: float, delta: int, rounds: int) -> Array:
    """The loops of the generators, with the copy that their swap of colour pixels comes to."""
    height, width, _ = x.shape
    x = ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4.0)
    offsets = np.floor(draws * 2 * delta).astype(int) - delta
    for turn in range(rounds):
        for h in range(height - delta, delta, -1):
            for w in range(width - delta, delta, -1):
                dy, dx = offsets[turn, :, h, w]
                x[h, w] = x[h + dy, w + dx].copy()
    return ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4.0)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3), (64, 64, 3), (20, 33, 3)])
def test_glass_blur(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (sigma, delta, rounds) = corrupted("glass-blur", x, severity)
    expected = glass_blur(x, draws, sigma, max(1, round(delta)), int(rounds))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_glass_follows_chains_of_later_pixels() -> None:
    """All pixels copy the one to the right, from the last to the first: one value spreads."""
    offsets = torch.zeros(1, 2, 8, 12, dtype=torch.int64)
    offsets[:, 1] = 1
    found = sources(offsets, 2).view(8, 12)
    expected = torch.arange(96).view(8, 12)
    expected[3:7, 3:11] = expected[3:7, 11:]
    assert torch.equal(found, expected)


def test_glass_loses_the_share_of_pixels_that_the_generators_lose() -> None:
    """At CIFAR-C's level 5 their loop left 567 to 577 of 1024 distinct pixels in three runs."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(2, 60, 2, 32, 32, generator=generator)
    first, second = (sources((n * 2).floor().long() - 1, 1) for n in numbers)
    kept = np.mean([len(row.unique()) for row in first.gather(1, second)])
    assert kept == pytest.approx(572, abs=15)


def motion_blur(x: Array, degrees: float, radius: float, sigma: float) -> Array:
    """ImageMagick's loop: a one-sided trace of pixels at rounded offsets, borders repeated."""
    height, width, _ = x.shape
    steps = 2 * math.ceil(radius) + 1
    kernel = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(steps)]
    down, right = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    rows, columns = np.mgrid[:height, :width]
    total = np.zeros_like(x)
    for i, weight in enumerate(kernel):
        row = np.clip(rows + math.ceil(i * down - 0.5), 0, height - 1)
        column = np.clip(columns + math.ceil(i * right - 0.5), 0, width - 1)
        total += weight * x[row, column]
    return total / sum(kernel)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_motion_blur(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, level = corrupted("motion-blur", x, severity)
    expected = motion_blur(x, -45 + 90 * draws[0], *level)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_trace_of_0_degrees_is_read_to_the_right() -> None:
    spot = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    spot[..., 4, 6] = 1
    found = as_array(smear(spot, torch.zeros(1, dtype=torch.float64), 1, 1.0))[..., 0]
    weights = np.exp(-(np.arange(3) ** 2) / 2)
    np.testing.assert_allclose(found[4, 4:7], weights[::-1] / weights.sum(), atol=1e-12)
    assert np.count_nonzero(found) == 3


def clipped_zoom(x: Array, factor: float) -> Array:
    """The generators' magnification: crop the middle, zoom linearly, trim the middle.

    With scipy's default mode rounding puts the last line outside for some sizes, where it is 0.
    """
    size = x.shape[0]
    cropped = math.ceil(size / factor)
    top = (size - cropped) // 2
    middle = x[top : top + cropped, top : top + cropped]
    zoomed = ndimage.zoom(middle, (factor, factor, 1), order=1, mode="nearest")
    trim = (zoomed.shape[0] - size) // 2
    return zoomed[trim : trim + size, trim : trim + size]


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SQUARE)
def test_zoom_blur(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, _, (stop, step) = corrupted("zoom-blur", x, severity)
    factors = np.arange(1, stop, step)
    copies = [clipped_zoom(x, factor) for factor in factors]
    np.testing.assert_allclose(found, (x + sum(copies)) / (len(factors) + 1), atol=1e-12)


def test_zoom_blur_of_a_rectangle_treats_each_axis_as_a_square_does() -> None:
    column, row = picture(20, 20, 1)[:, :1], picture(33, 33, 1)[:1]
    found, _, _ = corrupted("zoom-blur", np.repeat(column, 33, 1), 5)
    tall, _, _ = corrupted("zoom-blur", np.repeat(column, 20, 1), 5)
    np.testing.assert_allclose(found[:, 0], tall[:, 0], atol=1e-12)
    found, _, _ = corrupted("zoom-blur", np.repeat(row, 20, 0), 5)
    wide, _, _ = corrupted("zoom-blur", np.repeat(row, 33, 0), 5)
    np.testing.assert_allclose(found[0], wide[0], atol=1e-12)
