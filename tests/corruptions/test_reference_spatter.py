"""Spatter and its droplets against OpenCV's arithmetic, written again with loops and scipy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from metarobust.corruptions import CORRUPTIONS
from metarobust.corruptions.droplets import canny, chamfer_distance, equalise
from tests.corruptions.pictures import Array, corrupted, picture

SIZES = [(28, 28, 1), (32, 32, 1), (32, 32, 3), (64, 64, 3)]
TURQUOISE, BROWN = np.array([175, 238, 238]) / 255, np.array([63, 42, 20]) / 255


def opencv_canny(levels: Array) -> Array:
    """cv2.Canny(levels, 50, 150) with its integer test of the tangent of 22.5 degrees."""
    height, width = levels.shape
    dx = ndimage.sobel(levels.astype(int), 1, mode="nearest")
    dy = ndimage.sobel(levels.astype(int), 0, mode="nearest")
    m = np.pad(abs(dx) + abs(dy), 1)
    candidates = np.zeros((height, width), bool)
    for r in range(height):
        for c in range(width):
            here, y, x = m[r + 1, c + 1], abs(int(dy[r, c])) << 15, abs(int(dx[r, c])) * 13573
            if here <= 50:
                continue
            if y < x:
                kept = here > m[r + 1, c] and here >= m[r + 1, c + 2]
            elif y > x + (abs(int(dx[r, c])) << 16):
                kept = here > m[r, c + 1] and here >= m[r + 2, c + 1]
            else:
                s = -1 if int(dx[r, c]) * int(dy[r, c]) < 0 else 1
                kept = here > m[r, c + 1 - s] and here > m[r + 2, c + 1 + s]
            candidates[r, c] = kept
    groups, _ = ndimage.label(candidates, np.ones((3, 3)))
    strong = np.unique(groups[candidates & (m[1:-1, 1:-1] > 150)])
    return np.isin(groups, strong[strong > 0])


def opencv_distance(edges: Array) -> Array:
    """The length of the shortest chess path of straight, diagonal and knight's steps, up to 20."""
    straight, diagonal, knight = (
        1.0,
        round(1.4 * 2**16 - 0.4) / 2**16,
        round(2.1969 * 2**16) / 2**16,
    )
    rows, columns = np.mgrid[: edges.shape[0], : edges.shape[1]]
    distance = np.full(edges.shape, 20.0)
    for r, c in np.argwhere(edges):
        near, far = np.sort([abs(rows - r), abs(columns - c)], axis=0)
        mostly_straight = straight * (far - 2 * near) + knight * near
        mostly_diagonal = diagonal * (2 * near - far) + knight * (far - near)
        distance = np.minimum(distance, np.where(2 * near <= far, mostly_straight, mostly_diagonal))
    return distance


def opencv_equalise(levels: Array) -> Array:
    counts = np.bincount(levels.astype(int).ravel(), minlength=256)
    lowest = np.flatnonzero(counts)[0]
    if counts[lowest] == levels.size:
        return levels
    scale = np.float32(255) / np.float32(levels.size - counts[lowest])
    table = np.rint((np.cumsum(counts) - counts[lowest]).clip(0).astype(np.float32) * scale)
    return table[levels.astype(int)]


def water(liquid: Array) -> Array:
    drops = np.floor(liquid * 255).clip(0, 255)
    box = np.ones((3, 3))
    blurred = ndimage.correlate(opencv_distance(opencv_canny(drops)), box, mode="mirror") / 9
    height = opencv_equalise(np.floor(blurred + 1e-9))
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    relief = ndimage.correlate(height, emboss, mode="mirror").clip(0, 255)
    return drops * np.rint(ndimage.correlate(relief, box, mode="mirror") / 9)


def spatter(x: Array, draws: Array, level: tuple[float, ...]) -> Array:
    mean, sd, sigma, threshold, k, mud = level
    liquid = ndimage.gaussian_filter(mean + sd * draws, sigma, mode="nearest", truncate=4)
    grey = x.shape[2] == 1
    if mud:
        m = ndimage.gaussian_filter((liquid > threshold) * 1.0, k, mode="nearest", truncate=4)
        m = np.where(m < 0.8, 0, m)[..., None]
        return x * (1 - m) + m * (BROWN[:1] if grey else BROWN)
    m = water(np.where(liquid < threshold, 0, liquid))[..., None]
    if m.max() > 0:
        m = k * m / m.max()
    return np.clip(x + m * (219 / 255 if grey else TURQUOISE), 0, 1)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("size", SIZES)
def test_spatter(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    for seed in range(3):
        found, draws, level = corrupted("spatter", x, severity, seed)
        np.testing.assert_allclose(found, spatter(x, draws, level), atol=1e-12)


def test_grey_water_is_the_luma_of_turquoise() -> None:
    assert pytest.approx(219 / 255, abs=1e-3) == TURQUOISE @ [0.299, 0.587, 0.114]


def test_an_image_without_a_droplet_stays_dry() -> None:
    x = torch.from_numpy(picture(32, 32, 3)).permute(2, 0, 1)[None]
    for level in ((0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.5, 0.68, 0.6, 1)):
        found = CORRUPTIONS["spatter"].apply(x, torch.zeros(1, 32, 32), level)
        assert torch.equal(found, x)


def levels(seed: int, largest: int) -> Array:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((30, 41)), 1.5)
    return np.rint((smooth - smooth.min()) / np.ptp(smooth) * largest)


@pytest.mark.parametrize("seed", range(4))
def test_steps_of_the_droplets(seed: int) -> None:
    grey = levels(seed, 255)
    edges = canny(torch.from_numpy(grey)[None, None])
    np.testing.assert_array_equal(edges[0, 0].numpy(), opencv_canny(grey))
    assert 0.02 < edges.double().mean() < 0.5
    np.testing.assert_array_equal(
        chamfer_distance(edges)[0, 0].numpy(), opencv_distance(edges[0, 0].numpy())
    )
    few = levels(seed, 20)
    np.testing.assert_array_equal(
        equalise(torch.from_numpy(few)[None, None])[0, 0].numpy(), opencv_equalise(few)
    )


def test_distance_is_chamfered_and_cut_at_20() -> None:
    edges = torch.zeros(1, 1, 30, 30, dtype=torch.bool)
    edges[..., 0, 0] = True
    distance = chamfer_distance(edges)[0, 0]
    assert distance[0, 3] == 3
    assert distance[2, 2].item() == pytest.approx(2.8, abs=1e-4)
    assert distance[1, 2].item() == pytest.approx(2.1969, abs=1e-4)
    assert distance[29, 29] == 20
    assert (chamfer_distance(torch.zeros_like(edges)) == 20).all()
