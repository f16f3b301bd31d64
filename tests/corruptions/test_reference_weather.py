"""Snow, frost, fog, brightness and saturate against the published arithmetic."""

import colorsys

import numpy as np
import pytest
import torch

from metarobust.corruptions import CORRUPTIONS
from metarobust.corruptions.frost import needles
from tests.corruptions.pictures import Array, corrupted, picture
from tests.corruptions.test_reference_blur import clipped_zoom, motion_blur

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (84, 84, 3)]
LUMA = np.array([0.299, 0.587, 0.114])


def snow(x: Array, draws: Array, level: tuple[float, ...]) -> Array:
    mean, sd, zoom, threshold, radius, sigma, mix = level
    layer = clipped_zoom(mean + sd * draws[:-1].reshape(*x.shape[:2], 1), zoom)
    layer = np.where(layer < threshold, 0, layer).clip(0, 1)
    layer = motion_blur(layer, -135 + 90 * draws[-1], radius, sigma)
    grey = x if x.shape[2] == 1 else (x @ LUMA)[..., None]
    x = mix * x + (1 - mix) * np.maximum(x, grey * 1.5 + 0.5)
    return np.clip(x + layer + np.rot90(layer, k=2), 0, 1)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_snow(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, level = corrupted("snow", x, severity)
    np.testing.assert_allclose(found, snow(x, draws, level), atol=1e-12)


def plasma(noise: Array, decay: float) -> Array:
    """Diamond-square, point by point on a torus; `noise` holds U(-1, 1) for every point."""
    side = len(noise)
    heights = np.zeros((side, side))
    step, wibble = side, 100.0

    def mean(points: list[tuple[int, int]]) -> float:
        return sum(heights[r % side, c % side] for r, c in points) / 4

    while step >= 2:
        half = step // 2
        for r in range(half, side, step):
            for c in range(half, side, step):
                corners = [(r + i * half, c + j * half) for i in (-1, 1) for j in (-1, 1)]
                heights[r, c] = mean(corners) + wibble**2 * noise[r, c]
        edges = [(r, c) for r in range(0, side, half) for c in range(0, side, half)]
        for r, c in edges:
            if (r // half + c // half) % 2:
                around = [(r - half, c), (r + half, c), (r, c - half), (r, c + half)]
                heights[r, c] = mean(around) + wibble**2 * noise[r, c]
        step, wibble = half, wibble / decay
    heights -= heights.min()
    return heights / heights.max()


@pytest.mark.parametrize(
    ("size", "severity"),
    [
        ((28, 28, 1), 4),
        *(((32, 32, 3), s) for s in range(1, 6)),
        ((64, 64, 3), 3),
        ((40, 50, 3), 5),
    ],
)
def test_fog(size: tuple[int, int, int], severity: int) -> None:
    x = 0.9 * picture(*size)
    found, draws, (add, decay) = corrupted("fog", x, severity)
    cloud = plasma(draws, decay)[: size[0], : size[1], None]
    expected = np.clip((x + add * cloud) * x.max() / (x.max() + add), 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "side"),
    [((28, 28, 1), 256), ((28, 28, 3), 32), ((33, 5, 1), 64), ((224, 224, 3), 256)],
)
def test_side_of_the_cloud(size: tuple[int, int, int], side: int) -> None:
    height, width, channels = size
    draws = CORRUPTIONS["fog"].draw((channels, height, width), torch.Generator().manual_seed(0))
    assert draws.shape == (side, side)
    assert -1 <= draws.min() < -0.99
    assert 0.99 < draws.max() <= 1


# Mean red, green and blue of frost1.png, frost2.png (= frost3.png), frost4.jpg and frost5.jpg.
PHOTOGRAPHS = [
    (77.7, 149.1, 165.7),
    (200.8, 205.4, 214.5),
    (137.6, 152.8, 165.2),
    (112.4, 123.4, 134.8),
]


def test_frost_has_the_colours_of_the_photographs() -> None:
    black = np.zeros((32, 32, 3))
    kinds = set()
    for seed in range(40):
        found, draws, (_, ice) = corrupted("frost", black, 1, seed)
        colour = 255 * found.mean((0, 1)) / ice
        misses = np.abs(np.array(PHOTOGRAPHS) - colour).max(1)
        assert misses.min() < 2
        assert misses.argmin() == max(0, int(5 * draws[-1]) - (draws[-1] >= 0.4))
        kinds.add(misses.argmin())
    assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(28, 28, 1), (64, 64, 3)])
def test_frost_is_laid_over_with_the_published_weights(
    size: tuple[int, int, int], severity: int
) -> None:
    x = 0.2 * picture(*size)
    found, _, (scene, _) = corrupted("frost", x, severity)
    ice, _, _ = corrupted("frost", np.zeros_like(x), severity)
    np.testing.assert_allclose(found, np.clip(scene * x + ice, 0, 1), atol=1e-12)


@pytest.mark.parametrize("side", [32, 64])
def test_frost_falls_off_like_the_photographs(side: int) -> None:
    """The power of crops of the photographs falls by frequency^-0.4 to ^-1.5, on average -1."""
    noise = torch.randn(60, 6, side, side, generator=torch.Generator().manual_seed(0))
    ice = needles(noise)
    torch.testing.assert_close(ice.mean((1, 2)), torch.zeros(60), atol=1e-5, rtol=0)
    torch.testing.assert_close(ice.square().mean((1, 2)), torch.ones(60))
    power = (torch.fft.fft2(ice).abs() ** 2).mean(0).numpy()
    frequency = np.fft.fftfreq(side) * side
    radius = np.rint(np.hypot(frequency[:, None], frequency))
    rings = np.arange(2, side // 2)
    mean = [power[radius == ring].mean() for ring in rings]
    slope = np.polyfit(np.log(rings), np.log(mean), 1)[0]
    assert slope == pytest.approx(-1, abs=0.25)


def by_pixel(x: Array, change) -> Array:
    """Python's own HSV, pixel by pixel."""
    pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*p))) for p in x.reshape(-1, 3)]
    return np.array(pixels).reshape(x.shape)


def picture_with_greys(size: tuple[int, int, int]) -> Array:
    x = picture(*size)
    x[:4] = x[:4, :, :1]
    x[4, :3] = 0, 1, 0.5
    return x


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(32, 32, 3), (64, 64, 3)])
def test_brightness(size: tuple[int, int, int], severity: int) -> None:
    x = picture_with_greys(size)
    found, _, (c,) = corrupted("brightness", x, severity)
    expected = by_pixel(x, lambda h, s, v: (h, s, min(v + c, 1)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("severity", range(1, 6))
def test_brightness_of_grey_images(severity: int) -> None:
    x = picture(28, 28, 1)
    found, _, (c,) = corrupted("brightness", x, severity)
    np.testing.assert_allclose(found, np.clip(x + c, 0, 1), atol=1e-12)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(32, 32, 3), (64, 64, 3)])
def test_saturate_leaves_greys_grey(size: tuple[int, int, int], severity: int) -> None:
    x = picture_with_greys(size)
    found, _, (factor, shift) = corrupted("saturate", x, severity)
    expected = by_pixel(x, lambda h, s, v: (h, np.clip(s * factor + shift, 0, 1), v))
    grey = np.ptp(x, axis=-1) == 0
    assert grey.sum() > 100
    np.testing.assert_allclose(found[~grey], expected[~grey], atol=1e-9)
    np.testing.assert_array_equal(found[grey], x[grey])


@pytest.mark.parametrize("severity", range(1, 6))
def test_saturate_of_grey_images_is_mnist_cs_without_its_tint(severity: int) -> None:
    """MNIST-C: all of HSV times the factor plus the shift, then scikit-image's luminance."""
    x = picture(28, 28, 1)
    found, _, (factor, shift) = corrupted("saturate", x, severity)

    def all_three(h: float, s: float, v: float) -> tuple[float, ...]:
        return tuple(np.clip(np.array([h, s, v]) * factor + shift, 0, 1))

    published = by_pixel(np.repeat(x, 3, 2), all_three) @ np.array([0.2125, 0.7154, 0.0721])
    tint = {4: 0.964, 5: 0.977}.get(severity, 1.0)
    np.testing.assert_allclose(found[..., 0] * tint, published, atol=5e-4)
