"""The ten corruptions of C-bar against their authors' arithmetic, pixel by pixel."""

import math

import numpy as np
import pytest
from scipy import ndimage

from tests.corruptions.pictures import Array, corrupted, picture

SIZES = [(28, 28, 1), (32, 32, 3), (33, 33, 3), (64, 64, 3)]
EVERY_SIZE = pytest.mark.parametrize("size", SIZES)
EVERY_SEVERITY = pytest.mark.parametrize("severity", range(1, 6))
SOME_SEVERITIES = pytest.mark.parametrize("severity", [1, 3, 5])
GREY = 128 / 255


def phase_noise(power: Array, turns: Array) -> Array:
    """The authors' noise: phases of the left half, mirrored; the real part of the inverse FFT."""
    size, half = len(power), len(power) // 2
    phases = 2 * np.pi * turns[:, :half]
    if size % 2:
        middle = 2 * np.pi * turns[:half, half : half + 1]
        middle = np.concatenate([middle, [[0.0]], middle[::-1]])
        phases = np.concatenate([phases, middle, phases[::-1, ::-1]], 1)
    else:
        phases = np.concatenate([phases, phases[::-1, ::-1]], 1)
    spectrum = np.roll(power * np.exp(1j * phases), (half, half), (0, 1))
    noise = np.fft.ifft2(spectrum).real
    return noise / noise.std()


def radii(size: int) -> Array:
    line = np.arange(size) - size / 2
    return np.hypot(line[:, None], line)


@EVERY_SEVERITY
@EVERY_SIZE
def test_blue_noise_sample(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (level,) = corrupted("blue-noise-sample", x, severity)
    kept = phase_noise(radii(size[0]), draws) > level * 3 / 10 - 2.5
    np.testing.assert_array_equal(found, x * kept[..., None])


@EVERY_SEVERITY
@EVERY_SIZE
def test_brownish_noise(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (level,) = corrupted("brownish-noise", x, severity)
    noise = [phase_noise(1 / (radii(size[0]) ** 2 + 1), turns) for turns in draws]
    expected = np.clip(x + level * 64 / 10 / 255 * np.stack(noise, -1), 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@SOME_SEVERITIES
@EVERY_SIZE
def test_checkerboard_cutout(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (level,) = corrupted("checkerboard-cutout", x, severity)
    side, angle = (0.1 + 0.15 * draws[1]) * size[0], 2 * np.pi * draws[0]
    cells = int(4 * size[0] // side)
    chosen = draws[2:].reshape(40, 40)[:cells, :cells] < level / 10
    expected = x.copy()
    for r in range(size[0]):
        for c in range(size[1]):
            nx = (math.cos(angle) * r + math.sin(angle) * c) / side
            ny = (-math.sin(angle) * r + math.cos(angle) * c) / side
            if int(nx % 2) == int(ny % 2) and chosen[int(nx), int(ny)]:
                expected[r, c] = GREY
    np.testing.assert_array_equal(found, expected)


def star(size: int, centre: Array, rays: Array, exponent: float) -> Array:
    light = np.zeros((size, size, 1))
    for r in range(size):
        for c in range(size):
            dy, dx = r - centre[0], c - centre[1]
            turn = (math.atan2(dx, dy) + math.pi) / (2 * math.pi) * len(rays)
            i, f = int(turn), turn - int(turn)
            length = (1 - f) * rays[i % len(rays)] + f * rays[(i + 1) % len(rays)]
            g = (length**2 / (dx**2 + dy**2 + 1e-4)) ** exponent
            light[r, c] = np.clip((1 - (f - 0.5) ** 2) * g, 0, 1)
    return light


@SOME_SEVERITIES
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3)])
def test_sparkles(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (level,) = corrupted("sparkles", x, severity)
    radius = level * 0.1 / 10 * size[0]
    expected = x
    for numbers in draws:
        rays = numbers[3 : 3 + 50 + int(150 * numbers[2])]
        lengths = np.maximum(1, radius + 0.25 * radius * rays)
        light = star(size[0], numbers[:2] * size[0], lengths, 1.0)
        expected = expected + light * (1 - expected)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@SOME_SEVERITIES
@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3)])
def test_inverse_sparkles(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, (numbers,), (level,) = corrupted("inverse-sparkles", x, severity)
    rays = numbers[3 : 3 + 50 + int(150 * numbers[2])]
    lengths = 0.25 * size[0] * (1 + 0.25 * rays)
    amount = 100 - level * 65 / 10
    light = star(size[0], (0.25 + 0.5 * numbers[:2]) * size[0], lengths, (100 - amount) / 50)
    np.testing.assert_allclose(found, 1 + light * (x - 1), atol=1e-9)


def zingl_line(size: int, r: int, c: int, r1: int, c1: int) -> Array:
    """Zingl's antialiased line, which scikit-image has as `line_aa`: the coverage of each pixel."""
    coverage = np.zeros((size, size))

    def plot(row: int, column: int, miss: float) -> None:
        if 0 <= row < size and 0 <= column < size:
            coverage[row, column] = 1 - miss

    down, right = abs(r1 - r), abs(c1 - c)
    sign_r, sign_c = (1 if r < r1 else -1), (1 if c < c1 else -1)
    error, length = right - down, math.hypot(right, down)
    while True:
        plot(r, c, abs(error - right + down) / length)
        before, column = error, c
        if 2 * before >= -right:
            if c == c1:
                break
            if before + down < length:
                plot(r + sign_r, c, abs(before + down) / length)
            error -= down
            c += sign_c
        if 2 * before <= down:
            if r == r1:
                break
            if right - before < length:
                plot(r, column + sign_c, abs(right - before) / length)
            error += right
            r += sign_r
    return coverage


@EVERY_SEVERITY
@EVERY_SIZE
def test_lines(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, draws, (level,) = corrupted("lines", x, severity)
    side = size[0]
    expected = x
    for row, column, turn in draws[2:].reshape(-1, 3)[: int(level / 10 * side)]:
        angle = 2 * math.pi * (draws[0] + (0.1 + 0.9 * draws[1]) * (turn - 0.5))
        s, c = math.sin(angle) * side, math.cos(angle) * side
        ends = (int(side * row - c), int(side * column - s))
        other = (int(side * row + c), int(side * column + s))
        covered = zingl_line(side, *ends, *other)[..., None]
        expected = (1 - covered) * expected + covered * GREY
    np.testing.assert_allclose(found, expected, atol=1e-9)


def warp(x: Array, rows: Array, columns: Array) -> Array:
    read = [
        ndimage.map_coordinates(x[..., c], [rows, columns], order=1, mode="grid-constant")
        for c in range(x.shape[2])
    ]
    return np.stack(read, -1)


@EVERY_SEVERITY
@EVERY_SIZE
def test_ripple(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, (lengths, phases), (level,) = corrupted("ripple", x, severity)
    points = np.mgrid[: size[0], : size[1]].astype(float)
    amplitude = level * 0.025 / 10 * size[0]
    bent = [
        p + amplitude * np.sin(2 * np.pi * p / ((0.1 + 0.2 * length) * size[0]) + 2 * np.pi * phase)
        for p, length, phase in zip(points, lengths, phases, strict=True)
    ]
    np.testing.assert_allclose(found, warp(x, *bent), atol=1e-9)


@SOME_SEVERITIES
@EVERY_SIZE
def test_pinch_and_twirl(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, signs, (level,) = corrupted("pinch-and-twirl", x, severity)
    tile = size[0] // 3
    radius = tile / 2
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    for r in range(3 * tile):
        for c in range(3 * tile):
            i, j = r // tile, c // tile
            centre = np.array([i * tile + radius, j * tile + radius])
            dy, dx = np.array([r, c]) - centre
            distance = math.hypot(dy, dx)
            if distance > radius or round(distance, 3) == 0:
                continue
            share = distance / radius
            pinch = math.sin(math.pi / 2 * share) ** -(level * 0.4 / 10 + 0.1)
            a = signs[i, j] * level * (math.pi / 2) / 10 * (1 - share) ** 2
            rows[r, c] = centre[0] + pinch * (dy * math.cos(a) - dx * math.sin(a))
            columns[r, c] = centre[1] + pinch * (dy * math.sin(a) + dx * math.cos(a))
    np.testing.assert_allclose(found, warp(x, rows, columns), atol=1e-9)


@SOME_SEVERITIES
@pytest.mark.parametrize("size", [*SIZES, (20, 33, 3)])
def test_circular_motion_blur(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    found, _, (level,) = corrupted("circular-motion-blur", x, severity)
    times = np.linspace(-1, 1, 21)
    weights = np.exp(-2 * times**2)
    copies = [ndimage.rotate(x, t * 1.5 * level, reshape=False) for t in times]
    expected = sum(w * copy for w, copy in zip(weights, copies, strict=True)) / weights.sum()
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=1e-9)


@EVERY_SEVERITY
@pytest.mark.parametrize("size", [(32, 32, 3), (33, 33, 3), (64, 64, 3), (84, 84, 3)])
def test_transverse_chromatic_aberration(size: tuple[int, int, int], severity: int) -> None:
    x = picture(*size)
    orders = set()
    for seed in range(4):
        found, order, (level,) = corrupted("transverse-chromatic-aberration", x, severity, seed)
        for channel, place in enumerate(order.astype(int)):
            factor = [1, 1 + level / 40, 1 + level / 20][place]
            zoomed = ndimage.zoom(x[..., channel], factor, prefilter=False, mode="mirror")
            edge = (len(zoomed) - size[0]) // 2
            expected = zoomed[edge : edge + size[0], edge : edge + size[0]]
            np.testing.assert_allclose(found[..., channel], expected, atol=1e-9)
        orders.add(tuple(order))
    assert len(orders) > 1
