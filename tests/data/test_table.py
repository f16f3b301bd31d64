import numpy as np
import pytest

from metarobust.core.errors import DataError
from metarobust.data.table import make_table


def pictures(*values):
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def test_a_repeat_within_a_class_goes_and_is_counted():
    table = make_table(pictures(1, 2, 1, 3, 1), np.array([0, 0, 0, 1, 0]), ["a", "b"])
    assert table.images.ravel().tolist() == [1, 2, 3]
    assert table.labels.tolist() == [0, 0, 1]
    assert table.info["repeats_dropped"] == 2
    assert table.twins == ()


def test_an_image_in_two_splits_is_a_leak():
    labels = np.array([0, 1, 2, 2])
    table = make_table(pictures(7, 7, 7, 8), labels, ["a", "b", "c"])
    assert table.twins == ((0, 1, 2),)
    together = {"train": (0, 1, 2), "val": (), "test": ()}
    assert len(table.dataset("same split", together).images) == 4
    apart = {"train": (), "val": (1,), "test": (2,)}
    with pytest.raises(DataError, match="meta-val 'b' = meta-test 'c'"):
        table.dataset("leaky", apart)


def test_the_digest_depends_on_images_labels_names_and_splits():
    def digest(values=(1, 2), names=("a", "b"), test=(0, 1)):
        table = make_table(pictures(*values), np.array([0, 1]), names)
        return table.dataset("x", {"train": (), "val": (), "test": test}).digest

    assert digest() == digest()
    others = [digest(values=(1, 3)), digest(names=("a", "c")), digest(test=(1, 0)), digest(test=())]
    assert len({digest(), *others}) == 5


def test_the_digest_does_not_depend_on_how_the_images_lie_in_memory():
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    turned = np.ascontiguousarray(images.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
    labels = np.array([0, 1])
    assert make_table(images, labels, "ab").digest == make_table(turned, labels, "ab").digest
