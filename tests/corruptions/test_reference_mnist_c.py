"""MNIST-C's own corruptions against scipy and the published arithmetic."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage

from metarobust.corruptions import CORRUPTIONS, corrupt
from tests.corruptions.pictures import Array, as_array, corrupted, picture

SIZES = [(28, 28, 1), (28, 28, 3), (64, 64, 3), (20, 33, 1)]


def warp(x: Array, matrix: Array) -> Array:
    """scikit-image's warp: (column, row, 1) of the image = matrix @ (column, row, 1); 0 outside."""
    height, width, channels = x.shape
    rows, columns = np.mgrid[:height, :width]
    there = np.einsum("ij,jhw->ihw", matrix, np.stack([columns, rows, np.ones_like(rows)]))
    read = [
        ndimage.map_coordinates(x[..., c], there[1::-1], order=1, mode="grid-constant")
        for c in range(channels)
    ]
    return np.stack(read, -1)


def about_centre(linear: list[list[float]], height: int, width: int) -> Array:
    """The generators' affine map, with the translation that keeps the centre in its place."""
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.c_[linear, centre - np.array(linear) @ centre]


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["shear", "rotate", "scale"])
def test_linear_maps(name: str, size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (c,) = corrupted(name, x, severity)
    if name == "scale":
        linear = [[1 / c, 0], [0, 1 / c]]
    else:
        assert abs(draws[0]) == 1
        c *= draws[0]
        linear = [[1, -math.sin(c)], [0, math.cos(c)]]
        if name == "rotate":
            linear = [[math.cos(c), -math.sin(c)], [math.sin(c), math.cos(c)]]
    expected = warp(x, about_centre(linear, *size[:2]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("severity", range(1, 6))
def test_translate_on_mnist_shifts_by_whole_pixels(severity: int) -> None:
    x = picture(28, 28, 1)
    seen = set()
    for seed in range(24):
        found, (across, down), (shift,) = corrupted("translate", x, severity, seed)
        expected = warp(x, np.array([[1, 0, across * shift], [0, 1, down * shift]]))
        np.testing.assert_array_equal(found, expected)
        seen.add((across, down))
    assert len(seen) == 4


def test_translate_grows_with_the_image_in_whole_pixels() -> None:
    x = picture(84, 20, 3)
    found, (across, down), _ = corrupted("translate", x, 5)
    expected = warp(x, np.array([[1, 0, 4 * across], [0, 1, 15 * down]]))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_quantize(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, _, (bits,) = corrupted("quantize", x, severity)
    np.testing.assert_array_equal(found, np.round(x * (2**bits - 1)) / (2**bits - 1))
    assert len(np.unique(found)) <= 2**bits


def test_inverse_and_stripe() -> None:
    x = picture(28, 28, 1)
    np.testing.assert_array_equal(corrupted("inverse", x, 3)[0], 1 - x)
    expected = x.copy()
    expected[:, :7] = 1 - x[:, :7]
    expected[:, 21:] = 1 - x[:, 21:]
    np.testing.assert_array_equal(corrupted("stripe", x, 3)[0], expected)


def line_from_points(c0: float, r0: float, c1: float, r1: float) -> Array:
    """MNIST-C's pen on its 28 x 28 grid."""
    columns, rows = np.meshgrid(np.arange(28), np.arange(28))
    distance = abs(rows - ((r1 - r0) / (c1 - c0) * (columns - c0) + r0))
    line = np.clip(np.log(1 - np.clip(distance, 0, 2.3 - 1e-10) / 2.3) + 1, 0, 1)
    line[:, : math.floor(c0)] = 0
    line[:, math.ceil(c1) :] = 0
    return line


@pytest.mark.parametrize("seed", range(5))
def test_dotted_line(seed: int) -> None:
    x = picture(28, 28, 1)
    found, (r0, r1), _ = corrupted("dotted-line", x, 3, seed)
    line = line_from_points(0, r0, 27, r1)
    for first in range(0, 28, 4):
        line[:, first : first + 2] = 0
    np.testing.assert_allclose(found, np.clip(x + line[..., None], 0, 1), atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_zigzag(seed: int) -> None:
    x = picture(28, 28, 1)
    found, (r0, fall), _ = corrupted("zigzag", x, 3, seed)
    theta = math.atan(fall / 23)
    length = 23 / math.cos(theta)
    points = [(0.0, 0.0)]
    teeth = range(int((length - 2) // 4) + 1)
    points += [((2 * i + 1) * 2.0, (-1) ** i * 2.0) for i in teeth]
    points.append((length, points[-1][1] / (2 * (length - 4 * (length // 4)))))
    turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    corners = np.array(points) @ turn.T + [2, r0]
    expected = x[..., 0]
    for one, other in pairwise(corners):
        expected = np.clip(expected + line_from_points(*one, *other), 0, 1)
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-12)


@pytest.mark.parametrize("name", ["dotted-line", "zigzag"])
def test_strokes_are_stretched_to_the_image(name: str) -> None:
    """At 56 x 84 every second row and third column is what is drawn on the 28 x 28 grid."""
    generator = torch.Generator().manual_seed(0)
    draws = CORRUPTIONS[name].draw((1, 28, 28), generator)[None]
    small = CORRUPTIONS[name].apply(torch.zeros(1, 1, 28, 28), draws, ())
    large = CORRUPTIONS[name].apply(torch.zeros(1, 1, 56, 84), draws, ())
    torch.testing.assert_close(large[..., ::2, ::3], small, atol=1e-4, rtol=0)


def canny(grey: Array) -> Array:
    """skimage.feature.canny(grey): smooth, Sobel, thin in four sectors, follow."""
    blur = {"sigma": 1, "mode": "constant", "truncate": 4}
    smooth = ndimage.gaussian_filter(grey, **blur)
    smooth /= ndimage.gaussian_filter(np.ones_like(grey), **blur)
    down, right = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
    m = np.hypot(down, right)
    thin = np.zeros(grey.shape, bool)
    for r in range(1, grey.shape[0] - 1):
        for c in range(1, grey.shape[1] - 1):
            d, s = abs(down[r, c]), abs(right[r, c])
            if m[r, c] < 0.1:
                continue
            side = 1 if down[r, c] * right[r, c] >= 0 else -1
            if d > s:
                sides = [((i, 0), (i, side * i), s / d) for i in (-1, 1)]
            else:
                sides = [((0, i), (side * i, i), d / s) for i in (-1, 1)]
            thin[r, c] = all(
                m[r + n[0], c + n[1]] * (1 - w) + m[r + f[0], c + f[1]] * w <= m[r, c]
                for n, f, w in sides
            )
    groups, _ = ndimage.label(thin, np.ones((3, 3)))
    strong = np.unique(groups[thin & (m >= 0.2)])
    return np.isin(groups, strong[strong > 0])


@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3), (41, 30, 1)])
def test_canny_edges(size: tuple[int, int, int]) -> None:
    x = picture(*size)
    found, _, _ = corrupted("canny-edges", x, 1)
    grey = x[..., 0] if size[2] == 1 else x @ [0.299, 0.587, 0.114]
    expected = canny(grey)
    assert 0.02 < expected.mean() < 0.6
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], size[2], -1))


def test_of_two_equal_gradients_both_are_edges() -> None:
    """The gradient of a step between two pixels is the same in both, up to rounding."""
    stroke = torch.zeros(1, 1, 28, 28)
    stroke[..., 4:24, 8:20] = 1
    found = as_array(corrupt("canny-edges", stroke, torch.tensor([0]), 3, seed=0))[..., 0]
    assert np.flatnonzero(found[14]).tolist() == [7, 8, 19, 20]
