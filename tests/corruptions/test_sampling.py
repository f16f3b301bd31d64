"""Borders against numpy's padding, and sampling against scipy's map_coordinates."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from metarobust.corruptions.borders import Border, fold
from metarobust.corruptions.sampling import bilinear, pick, pixel_grid
from metarobust.corruptions.splines import spline_coefficients, spline_taps

NUMPY_NAMES: dict[Border, str] = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect"}
SCIPY_NAMES = {
    "zero": "grid-constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
}


@given(size=st.integers(1, 9), beyond=st.integers(0, 40), border=st.sampled_from([*NUMPY_NAMES]))
def test_fold_is_numpys_padding(size: int, beyond: int, border: Border) -> None:
    expected = np.pad(np.arange(size), beyond, mode=NUMPY_NAMES[border])
    found = fold(torch.arange(-beyond, size + beyond), size, border)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    border=st.sampled_from([*SCIPY_NAMES]),
    seed=st.integers(0, 99),
)
def test_bilinear_is_map_coordinates(height: int, width: int, border: Border, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.random((2, 3, height, width))
    rows = rng.uniform(-12, 20, (2, 4, 5))
    columns = rng.uniform(-12, 20, (2, 4, 5))
    found = bilinear(*map(torch.from_numpy, (images, rows, columns)), border)
    for i in range(2):
        for c in range(3):
            expected = ndimage.map_coordinates(
                images[i, c], [rows[i], columns[i]], order=1, mode=SCIPY_NAMES[border]
            )
            np.testing.assert_allclose(found[i, c].numpy(), expected, atol=1e-9)


def test_the_grid_itself_gives_the_images_back_in_their_dtype() -> None:
    images = torch.rand(2, 3, 6, 7)
    rows, columns = pixel_grid(6, 7, images.device)
    assert torch.equal(bilinear(images, rows, columns, "zero"), images)
    whole = rows.long().expand(2, 6, 7), columns.long().expand(2, 6, 7)
    assert torch.equal(pick(images, *whole, "zero"), images)
    assert (pick(images, whole[0] - 6, whole[1], "zero") == 0).all()


@pytest.mark.parametrize("size", [1, 2, 5, 32])
def test_cubic_splines_are_scipys(size: int) -> None:
    line = np.random.default_rng(size).random(size)
    coefficients = spline_coefficients(size).numpy() @ line
    if size > 1:
        expected = ndimage.spline_filter1d(line, 3, mode="mirror")
        np.testing.assert_allclose(coefficients, expected, atol=1e-10)
    positions = np.linspace(0, size - 1, 11)
    taps, weights = spline_taps(torch.from_numpy(positions), size)
    found = (coefficients[taps.numpy()] * weights.numpy()).sum(-1)
    expected = ndimage.map_coordinates(line, [positions], order=3, mode="mirror")
    np.testing.assert_allclose(found, expected, atol=1e-10)
