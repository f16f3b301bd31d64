import re
from dataclasses import replace

import numpy as np
import pytest

from metarobust.core.errors import DataError


def test_class_rows_lists_every_row_once(make_dataset):
    data = make_dataset([3, 1, 5])
    rows = data.class_rows
    assert [len(r) for r in rows] == [3, 1, 5]
    assert sorted(np.concatenate(rows).tolist()) == list(range(9))
    for c, r in enumerate(rows):
        assert (data.labels[r] == c).all()
        assert (np.diff(r) > 0).all()


def test_input_shape_is_generic(make_dataset):
    assert make_dataset([2], shape=(3, 8, 6)).input_shape == (3, 8, 6)
    assert make_dataset([2], shape=(7,)).input_shape == (7,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((4, 1, 2, 2))}, r"expected images uint8.*got float64"),
        ({"images": np.full((4, 2), 2, np.float32)}, r"float32 values in \[0, 1\], got 8 others"),
        ({"images": np.full((4, 2), np.nan, np.float32)}, r"in \[0, 1\], got 8 others"),
        ({"targets": np.zeros(4)}, r"targets float32 \[4\], one per input, got float64"),
        ({"targets": np.full(4, np.inf, np.float32)}, "expected finite targets"),
        ({"images": np.zeros((0, 1, 2, 2), np.uint8)}, "expected images, got none"),
        ({"labels": np.zeros(4, np.int32)}, r"labels int64 \[4\], one per image, got int32"),
        ({"labels": np.array([0, 1, 1])}, r"labels int64 \[4\]"),
        ({"labels": np.array([0, 1, 9, -1])}, r"0 to 1: label 9 of image 2, label -1 of image 3"),
        ({"labels": np.zeros(4, np.int64)}, "without a single image: 'class 1'"),
        ({"class_names": ("a", "a")}, "two classes share a name: 'a'"),
        ({"groups": ("g",)}, "1 groups for 2 classes"),
        ({"splits": {"train": (0,), "test": (1,)}}, "expected the splits train, val and test"),
        ({"splits": {"train": (0,), "val": (), "test": (1, 2)}}, "names class 2, but there are 2"),
        (
            {"splits": {"train": (0, 1), "val": (), "test": (1, 0)}},
            r"'class 1' \(meta-train and meta-test\), 'class 0'",
        ),
        ({"splits": {"train": (0, 0), "val": (), "test": ()}}, "in one split: 'class 0'"),
    ],
)
def test_what_does_not_hold_is_refused(make_dataset, changes, message):
    data = make_dataset([2, 2])
    with pytest.raises(DataError, match=message):
        replace(data, **changes)


def test_errors_name_three_examples(make_dataset):
    splits = {"train": tuple(range(6)), "val": (), "test": tuple(range(6))}
    with pytest.raises(DataError) as caught:
        make_dataset([1] * 6, splits=splits)
    assert len(re.findall(r"'class \d'", str(caught.value))) == 3
    assert "and 3 more" in str(caught.value)
