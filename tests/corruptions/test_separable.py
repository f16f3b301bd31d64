"""The matrices against scipy's filter and Pillow's resampling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from metarobust.corruptions.borders import Border
from metarobust.corruptions.separable import box_matrix, gaussian_matrix, separable


@settings(deadline=None, max_examples=60)
@given(size=st.integers(1, 120), sigma=st.floats(0.2, 8))
def test_gaussian_rows_are_scipys_impulse_responses(size: int, sigma: float) -> None:
    expected = ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest", truncate=4.0)
    np.testing.assert_allclose(gaussian_matrix(size, sigma).numpy(), expected, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(1, 60),
    sigma=st.floats(0.2, 30),
    truncate=st.sampled_from([3.0, 4.0]),
    border=st.sampled_from(["nearest", "reflect", "mirror", "zero"]),
)
def test_gaussian_at_every_border(size: int, sigma: float, truncate: float, border: Border) -> None:
    mode = "constant" if border == "zero" else border
    expected = ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode=mode, truncate=truncate)
    found = gaussian_matrix(size, sigma, truncate=truncate, border=border)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(size=st.integers(1, 120), resized=st.integers(1, 120))
def test_box_rows_are_pillows(size: int, resized: int) -> None:
    line = Image.fromarray(np.eye(size, dtype=np.float32))
    expected = np.asarray(line.resize((size, resized), Image.Resampling.BOX))
    np.testing.assert_allclose(box_matrix(size, resized).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("matrix", [gaussian_matrix(9, 1.3), box_matrix(9, 5), box_matrix(5, 9)])
def test_rows_are_weights(matrix: torch.Tensor) -> None:
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64))


def test_separable_is_rows_times_image_times_columns() -> None:
    image = np.random.default_rng(0).random((4, 6))
    rows, columns = box_matrix(4, 2), gaussian_matrix(6, 1.0)
    found = separable(torch.from_numpy(image)[None, None], rows, columns)[0, 0]
    expected = np.einsum("ih,hw,jw->ij", rows.numpy(), image, columns.numpy())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
