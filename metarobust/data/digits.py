"""Scikit-learn's handwritten digits, up-sampled: a small far domain for learners from elsewhere."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL

from metarobust.data.base import Dataset
from metarobust.data.cache import cached_table
from metarobust.data.images import RESAMPLING, check_size, resize_grey
from metarobust.data.registry import DATASETS
from metarobust.data.splits import DeclaredSplit, all_test, declared_split
from metarobust.data.table import ImageTable, make_table

_VERSION = 1


@DATASETS.register("digits")
def digits(
    *, size: int = 28, split: DeclaredSplit | None = None, cache: str | Path | None = None
) -> Dataset:
    """The 1,797 bundled 8x8 digits (Alpaydin and Kaynak, 1998), 10 classes, ink 255 on 0.

    Args:
        size: height and width in pixels.
        split: digits under `train`, `val` and `test`; when None all ten are meta-test, since ten
            classes are too few to meta-train on and the set serves cross-domain tests.
        cache: the cache folder, when not the default one.

    Raises:
        ConfigError: the size or the split is not usable.
    """
    check_size(size)
    key = {
        "loader": ["digits", _VERSION],
        "size": size,
        "scikit-learn": version("scikit-learn"),
        "pillow": PIL.__version__,
    }
    table = cached_table("digits", key, lambda: _build(size), cache)
    members = {name: [c] for c, name in enumerate(table.class_names)}
    splits = all_test(len(members)) if split is None else declared_split(split, members, "digit")
    return table.dataset("digits", splits)


def _build(size: int) -> ImageTable:
    # Imported here because scikit-learn takes seconds to import and the cache spares it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return make_table(
        resize_grey(grey, size),
        bunch.target.astype(np.int64),
        [str(digit) for digit in range(10)],
        info={
            "polarity": "ink = 255 on 0",
            "resampling": RESAMPLING,
            "scikit-learn": version("scikit-learn"),
            "pillow": PIL.__version__,
        },
    )
