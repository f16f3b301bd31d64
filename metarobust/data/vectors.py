"""Feature vectors made elsewhere: embeddings of text, audio or anything else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.base import SPLITS, ClassSplits, Dataset
from metarobust.data.registry import DATASETS
from metarobust.data.splits import DeclaredSplit, declared_split, seeded_split
from metarobust.data.table import make_table
from metarobust.data.vector_files import VectorTable, read_vectors

MARGIN = 0.1
"""Room on either side of the meta-train range, as a share of it, for classes that reach further."""


@DATASETS.register("vectors")
def vectors(
    *,
    file: str | Path,
    split: DeclaredSplit | None = None,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    split_seed: int = 0,
    feature_range: Sequence[float] | None = None,
) -> Dataset:
    """Embeddings from an .npz (features, labels) or a Parquet file, scaled to [0, 1].

    One affine map serves every feature, (x - offset) / scale, so that distances keep their
    proportions and an eps in [0, 1] is eps * scale in the units of the file, under any norm. It is
    fixed by meta-train classes alone: their range and a tenth of it on either side. Values of other
    classes beyond are cut off, and counted in `info`, as `offset` and `scale` are.

    Args:
        file: the file; see `metarobust.data.vector_files.read_vectors` for what it holds.
        split: class names under `train`, `val` and `test`; when None, the splits of the file, or
            else a seeded draw of classes.
        fractions: shares of classes in train, val and test for the seeded draw.
        split_seed: seed of that draw.
        feature_range: what becomes 0 and 1, in the units of the file, instead of the range of
            meta-train classes; needed where there are none.

    Raises:
        ConfigError: the file or an option is not usable.
        DataError: the file is damaged or hostile, or a class or a vector is in two splits.
    """
    path = Path(file).expanduser()
    found = read_vectors(path)
    splits, how = _splits(found, split, fractions, split_seed)
    offset, scale = _affine_map(found, splits, feature_range)
    mapped = (found.features - offset) / scale
    clipped = int(np.count_nonzero((mapped < 0) | (mapped > 1)))
    table = make_table(
        mapped.clip(0, 1).astype(np.float32),
        found.labels,
        found.class_names,
        groups=found.groups,
        info={
            "offset": offset,
            "scale": scale,
            "units": f"an eps of e is {scale:.6g} e in the units of the file",
            "scaled_by": "feature_range" if feature_range else "meta-train classes",
            "clipped_values": clipped,
        },
    )
    return table.dataset(path.stem, splits, {"split": how})


def _splits(
    found: VectorTable,
    split: DeclaredSplit | None,
    fractions: Sequence[float],
    split_seed: int,
) -> tuple[ClassSplits, str]:
    if split is not None:
        members = {name: [c] for c, name in enumerate(found.class_names)}
        return declared_split(split, members, "class"), "declared"
    if found.parts is not None:
        parts = found.parts
        ids = range(len(parts))
        return {part: tuple(c for c in ids if parts[c] == part) for part in SPLITS}, "of the file"
    drawn = seeded_split(len(found.class_names), fractions, split_seed)
    return drawn, f"drawn with seed {split_seed}"


def _affine_map(
    found: VectorTable, splits: ClassSplits, feature_range: Sequence[float] | None
) -> tuple[float, float]:
    """Offset and scale of the map to [0, 1]."""
    if feature_range is not None:
        low, high = _two_numbers(feature_range)
        return low, high - low
    known: npt.NDArray[Any] = found.features[np.isin(found.labels, splits["train"])]
    if not known.size:
        raise ConfigError(
            "feature_range: there are no meta-train classes to take it from; give the two values "
            "that become 0 and 1, e.g. feature_range: [-1, 1]"
        )
    low, high = float(known.min()), float(known.max())
    if low == high:
        raise DataError(f"every feature of every meta-train vector is {low:g}; nothing to learn")
    room = MARGIN * (high - low)
    return low - room, high - low + 2 * room


def _two_numbers(feature_range: Sequence[float]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in feature_range)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not np.isfinite([low, high]).all() or low >= high:
        raise ConfigError(
            f"feature_range: expected two numbers, the smaller first, got {feature_range!r}"
        )
    return low, high
