"""Feature vectors with their classes, read from npz and Parquet files that nobody has to trust."""

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.archive import Limits
from metarobust.data.base import SPLITS, Rows, three_of

Array = npt.NDArray[Any]

_DAMAGED = (ValueError, KeyError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error)
_NUMBERED = re.compile(r"f\d+", re.ASCII)


@dataclass(frozen=True, eq=False)
class VectorTable:
    """What a file of feature vectors says.

    Attributes:
        features: finite, in the file's own units, float64 [n, D].
        labels: class of each vector, int64 [n] in [0, C).
        class_names: one name per class [C].
        groups: one group per class, or None.
        parts: `train`, `val` or `test` per class, or None.
    """

    features: npt.NDArray[np.float64]
    labels: Rows
    class_names: tuple[str, ...]
    groups: tuple[str, ...] | None
    parts: tuple[str, ...] | None


def read_vectors(path: Path) -> VectorTable:
    """Read a file of feature vectors by the ending of its name; no code in it is ever run.

    npz: `features` [n, D], `labels` [n] (numbers or names), and by class, in the order of
    `class_names` or else of the sorted labels, any of `class_names`, `groups` and `splits` [C].
    Parquet: a column `label`, and either a column `features` of lists or columns `f0`, `f1`, ...;
    `group` and `split` columns, if any, agree within a class.

    Raises:
        ConfigError: there is no such file, or its name ends otherwise.
        DataError: the file is damaged or hostile, an array is missing or has another shape or type,
            or a value is not finite.
    """
    if not path.is_file():
        raise ConfigError(f"file: expected an .npz or .parquet file, got {path}, which is none")
    if path.suffix not in (".npz", ".parquet"):
        raise ConfigError(f"file: expected a name that ends in .npz or .parquet, got {path.name}")
    return _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)


def _read_npz(path: Path) -> VectorTable:
    try:
        _refuse_bomb(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except _DAMAGED as problem:
        raise DataError(f"{path}: damaged, or no npz of plain arrays ({problem})") from None
    if missing := [name for name in ("features", "labels") if name not in arrays]:
        raise DataError(f"{path}: no array {three_of(map(repr, missing))}; it has {[*arrays]}")
    features = _checked_features(path, arrays["features"])
    labels, names = _classes(path, arrays["labels"], len(features), arrays.get("class_names"))
    by_class = {key: _texts(path, key, arrays.get(key), len(names)) for key in ("groups", "splits")}
    return VectorTable(features, labels, names, by_class["groups"], _parts(path, by_class))


def _refuse_bomb(path: Path) -> None:
    limits, stored = Limits(), path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(limits.total_bytes, max(limits.ratio_floor, limits.ratio * stored)):
        raise ValueError(f"a decompression bomb: {unpacked} bytes in a file of {stored}")


def _read_parquet(path: Path) -> VectorTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
    except (pa.ArrowException, OSError) as problem:
        raise DataError(f"{path}: damaged, or no Parquet file ({problem})") from None
    numbered = sorted((c for c in columns if _NUMBERED.fullmatch(c)), key=lambda c: int(c[1:]))
    if "label" not in columns or ("features" not in columns and not numbered):
        raise DataError(
            f"{path}: expected the columns label and features, or f0, f1, ..., got {[*columns]}"
        )
    listed = columns.get("features") or list(zip(*(columns[c] for c in numbered), strict=True))
    lengths = {len(row) if isinstance(row, list | tuple) else 0 for row in listed}
    if len(lengths) != 1 or not min(lengths):
        raise DataError(f"{path}: expected lists of one length, got lengths {sorted(lengths)[:5]}")
    try:
        features = _checked_features(path, np.array(listed, dtype=np.float64))
        given = np.array(columns["label"])
    except (TypeError, ValueError):
        raise DataError(f"{path}: expected numbers as features, got others") from None
    labels, names = _classes(path, given, len(features), None)
    by_class: dict[str, tuple[str, ...] | None] = {}
    for column, key in (("group", "groups"), ("split", "splits")):
        by_class[key] = _agreed(path, column, columns.get(column), labels, names)
    return VectorTable(features, labels, names, by_class["groups"], _parts(path, by_class))


def _checked_features(path: Path, features: Array) -> npt.NDArray[np.float64]:
    if features.ndim != 2 or features.dtype.kind not in "fiu" or not features.size:
        raise DataError(
            f"{path}: expected features as numbers [n, D], got {features.dtype} "
            f"{list(features.shape)}"
        )
    numbers = features.astype(np.float64)
    if bad := int(np.count_nonzero(~np.isfinite(numbers))):
        raise DataError(f"{path}: expected finite features, got {bad} that are NaN or infinite")
    return numbers


def _classes(
    path: Path, labels: Array, count: int, class_names: Array | None
) -> tuple[Rows, tuple[str, ...]]:
    if labels.shape != (count,) or labels.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: expected one label for each of {count} vectors, whole numbers or names, got "
            f"{labels.dtype} {list(labels.shape)}"
        )
    present, dense = np.unique(labels, return_inverse=True)
    if class_names is None:
        return dense.reshape(-1).astype(np.int64), tuple(str(value) for value in present)
    names = _texts(path, "class_names", class_names, len(class_names)) or ()
    if labels.dtype.kind == "U":
        place = {name: c for c, name in enumerate(names)}
        if unknown := [repr(str(value)) for value in present if str(value) not in place]:
            raise DataError(f"{path}: labels that no class is named by: {three_of(unknown)}")
        return np.array([place[str(value)] for value in labels], dtype=np.int64), names
    return labels.astype(np.int64), names


def _texts(path: Path, key: str, array: Array | None, classes: int) -> tuple[str, ...] | None:
    if array is None:
        return None
    if array.shape != (classes,) or array.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: expected {key} as one text for each of {classes} classes, got {array.dtype} "
            f"{list(array.shape)}"
        )
    return tuple(str(value) for value in array)


def _agreed(
    path: Path, column: str, values: Sequence[Any] | None, labels: Rows, names: Sequence[str]
) -> tuple[str, ...] | None:
    """What the rows of each class say in a column."""
    if values is None:
        return None
    said: list[set[str]] = [set() for _ in names]
    for c, value in zip(labels.tolist(), values, strict=True):
        said[c].add(str(value))
    if torn := [repr(names[c]) for c, found in enumerate(said) if len(found) != 1]:
        raise DataError(f"{path}: classes whose rows disagree in '{column}': {three_of(torn)}")
    return tuple(found.pop() for found in said)


def _parts(path: Path, by_class: Mapping[str, tuple[str, ...] | None]) -> tuple[str, ...] | None:
    parts = by_class["splits"]
    if wrong := sorted({repr(part) for part in parts or () if part not in SPLITS}):
        raise DataError(f"{path}: expected the splits train, val and test, got {three_of(wrong)}")
    return parts
