"""Elastic transform and JPEG compression against scipy, Pillow and the published arithmetic."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from metarobust.corruptions import corrupt
from tests.corruptions.pictures import Array, as_array, as_batch, corrupted, picture

SIZES = [(28, 28, 1), (28, 28, 3), (32, 32, 3), (33, 33, 1), (64, 64, 3), (84, 84, 3)]


def elastic_transform(x: Array, draws: Array, level: tuple[float, ...]) -> Array:
    """A forward affine map of three points, inverted, then a smoothed field of displacements."""
    size, channels = x.shape[0], x.shape[2]
    alpha, sigma, affine = np.array(level) * size
    borders = ("grid-constant",) * 2 if x.shape == (28, 28, 1) else ("mirror", "reflect")
    centre, square = np.full(2, size // 2), size // 3
    before = np.array([centre + square, [centre[0] + square, centre[1] - square], centre - square])
    after = before + affine * draws[:6].reshape(3, 2)
    forward = np.linalg.solve(np.c_[before, np.ones(3)], after).T
    inverse = np.linalg.inv(np.r_[forward, [[0, 0, 1]]])
    rows, columns = np.mgrid[:size, :size].astype(float)
    source = np.einsum("ij,jhw->ihw", inverse, np.stack([columns, rows, np.ones_like(rows)]))
    x = np.stack(
        [
            ndimage.map_coordinates(x[..., c], [source[1], source[0]], order=1, mode=borders[0])
            for c in range(channels)
        ],
        -1,
    )
    field = draws[6:].reshape(2, size, size)
    dx, dy = (
        alpha * ndimage.gaussian_filter(f, sigma, mode="reflect", truncate=3) if alpha else 0
        for f in field
    )
    there = [rows + dy, columns + dx]
    moved = [
        ndimage.map_coordinates(x[..., c], there, order=1, mode=borders[1]) for c in range(channels)
    ]
    return np.clip(np.stack(moved, -1), 0, 1)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_elastic_transform(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, level = corrupted("elastic-transform", x, severity)
    np.testing.assert_allclose(found, elastic_transform(x, draws, level), atol=1e-9)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3), (64, 64, 3), (21, 34, 3)])
def test_jpeg_compression_is_pillows(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    _, _, (quality,) = corrupted("jpeg-compression", x, severity)
    file = BytesIO()
    Image.fromarray(np.uint8(np.round(x * 255)).squeeze()).save(file, "JPEG", quality=int(quality))
    expected = np.asarray(Image.open(file)).reshape(x.shape) / 255
    found = corrupt("jpeg-compression", as_batch(x), torch.tensor([0]), severity, seed=0)
    np.testing.assert_allclose(as_array(found), expected, atol=1e-7)
