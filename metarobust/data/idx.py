"""MNIST-family data sets: idx files, gzipped or not."""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import PIL

from metarobust.core.digest import digest_file
from metarobust.core.errors import ConfigError, DataError
from metarobust.data.archive import Limits, local_path
from metarobust.data.base import Dataset, three_of
from metarobust.data.cache import cached_table
from metarobust.data.images import RESAMPLING, check_size, resize_grey
from metarobust.data.registry import DATASETS
from metarobust.data.splits import DeclaredSplit, all_test, declared_split
from metarobust.data.table import ImageTable, make_table

_VERSION = 1
_PIECE = 1 << 20
_NAME = re.compile(r"(?P<part>.*)[-.](?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?")
_PART_OF_FAMILY = re.compile(r"-?(train|t10k|test)$")


@DATASETS.register("idx")
def idx(
    *,
    root: str | Path,
    prefix: str = "",
    size: int = 28,
    split: DeclaredSplit | None = None,
    cache: str | Path | None = None,
) -> Dataset:
    """MNIST, Fashion-MNIST, KMNIST or EMNIST from their idx files.

    All pairs `*images-idx3-ubyte` / `*labels-idx1-ubyte` of the folder, `.gz` or raw, are joined
    (train and t10k alike: a few-shot split is by class, not by image). EMNIST files hold each
    picture transposed; they are turned upright.

    Args:
        root: the folder that holds the files.
        prefix: use only files whose name starts so, e.g. `emnist-letters`.
        size: height and width in pixels.
        split: labels under `train`, `val` and `test`; when None every class is meta-test, as
            befits a set that learners from elsewhere are evaluated on.
        cache: the cache folder, when not the default one.

    Raises:
        ConfigError: the path, the prefix or the split is not usable.
        DataError: a file is truncated, malformed or too large, or images and labels do not match.
    """
    check_size(size)
    pairs = _find_pairs(local_path(root), prefix)
    key = {
        "loader": ["idx", _VERSION],
        "files": [[path.name, digest_file(path)] for pair in pairs for path in pair],
        "size": size,
        "pillow": PIL.__version__,
    }
    table = cached_table("idx", key, lambda: _build(pairs, size), cache)
    members = {name: [c] for c, name in enumerate(table.class_names)}
    splits = all_test(len(members)) if split is None else declared_split(split, members, "class")
    return table.dataset(prefix or "idx", splits)


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """One idx file of unsigned bytes.

    Args:
        path: the file; gzipped if its name ends in `.gz`.
        dimensions: how many dimensions it must have: 3 for images, 1 for labels.

    Raises:
        DataError: another type or shape, fewer or more bytes than the header says, or too many.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _parse(stream, path, dimensions)
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(f"{path}: truncated or damaged ({problem})") from None


def _parse(stream: BinaryIO | gzip.GzipFile, path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    header = stream.read(4 + 4 * dimensions)
    if header[:4] != bytes((0, 0, 8, dimensions)) or len(header) < 4 + 4 * dimensions:
        raise DataError(
            f"{path}: expected an idx file of unsigned bytes with {dimensions} dimensions, got a "
            f"file that starts with {header[:4].hex(' ') or 'nothing'}"
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    wanted = math.prod(shape)
    limits, stored = Limits(), path.stat().st_size
    if wanted > limits.total_bytes or wanted > max(limits.ratio_floor, limits.ratio * stored):
        raise DataError(
            f"{path}: its header claims {wanted} bytes in a file of {stored}; refused as a "
            "decompression bomb"
        )
    content = bytearray()
    while len(content) <= wanted and (piece := stream.read(_PIECE)):
        content += piece
    if len(content) != wanted or not wanted:
        came = "more" if len(content) > wanted else f"{len(content)}"
        raise DataError(
            f"{path}: its header claims {list(shape)} = {wanted} bytes, but it holds {came}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _find_pairs(root: Path, prefix: str) -> list[tuple[Path, Path]]:
    """Image and label files, one pair per part, the raw file before its gzipped twin."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(root.glob("*")):
        match = _NAME.fullmatch(path.name)
        if match and path.name.startswith(prefix):
            found.setdefault((match["part"], match["kind"]), path)
    parts = sorted({part for part, kind in found if kind == "images"})
    if not parts:
        raise ConfigError(f"root: no {prefix}*images-idx3-ubyte or .gz file in {root}")
    families = sorted({_PART_OF_FAMILY.sub("", part) for part in parts})
    if len(families) > 1:
        raise ConfigError(f"prefix: {root} holds {three_of(families)}; choose one")
    for part in parts:
        if (part, "labels") not in found:
            raise DataError(f"{found[part, 'images']}: its label file is not beside it")
    return [(found[part, "images"], found[part, "labels"]) for part in parts]


def _build(pairs: list[tuple[Path, Path]], size: int) -> ImageTable:
    images, labels = [], []
    for image_path, label_path in pairs:
        pictures, classes = read_idx(image_path, 3), read_idx(label_path, 1)
        if len(pictures) != len(classes):
            raise DataError(
                f"{image_path}: {len(pictures)} images, but {label_path.name} has "
                f"{len(classes)} labels"
            )
        upright = pictures.transpose(0, 2, 1) if "emnist" in image_path.name else pictures
        images.append(resize_grey(upright, size))
        labels.append(classes)
    label = np.concatenate(labels)
    present, dense = np.unique(label, return_inverse=True)
    return make_table(
        np.concatenate(images),
        dense.astype(np.int64),
        [str(value) for value in present],
        info={
            "polarity": "as in the files (MNIST: ink = 255 on 0)",
            "resampling": RESAMPLING,
            "pillow": PIL.__version__,
            "files": [image_path.name for image_path, _ in pairs],
        },
    )
