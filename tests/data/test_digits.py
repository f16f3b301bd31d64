import numpy as np
from sklearn.datasets import load_digits

from metarobust.data.digits import digits


def test_all_ten_digits_are_meta_test(tmp_path):
    data = digits(cache=tmp_path)
    assert data.images.shape == (1797, 1, 28, 28)
    assert data.class_names == tuple("0123456789")
    assert data.splits == {"train": (), "val": (), "test": tuple(range(10))}
    np.testing.assert_array_equal(data.labels, load_digits().target)


def test_native_size_is_the_original_rescaled(tmp_path):
    data = digits(size=8, cache=tmp_path)
    np.testing.assert_allclose(data.images[:, 0] / 255, load_digits().images / 16, atol=0.5 / 255)


def test_up_sampling_keeps_the_brightness(tmp_path):
    small, large = digits(size=8, cache=tmp_path), digits(cache=tmp_path)
    np.testing.assert_allclose(
        small.images.mean((1, 2, 3)), large.images.mean((1, 2, 3)), rtol=0.1, atol=3
    )


def test_digits_can_be_split(tmp_path):
    data = digits(split={"train": [0, 1, 2, 3, 4], "test": [5, 6, 7, 8, 9]}, cache=tmp_path)
    assert data.splits["test"] == (5, 6, 7, 8, 9)
