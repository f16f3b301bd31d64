"""A folder or zip of pictures, one sub-folder per class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL

from metarobust.core.errors import DataError
from metarobust.data.archive import Source, open_source
from metarobust.data.base import SPLITS, ClassSplits, Dataset, three_of
from metarobust.data.cache import cached_table
from metarobust.data.images import RESAMPLING, decode_files, is_image
from metarobust.data.registry import DATASETS
from metarobust.data.splits import DeclaredSplit, declared_split, seeded_split
from metarobust.data.table import ImageTable, make_table

_VERSION = 1
_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@DATASETS.register("folder")
def folder(
    *,
    root: str | Path,
    size: int = 32,
    channels: int = 3,
    split: DeclaredSplit | None = None,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    split_seed: int = 0,
    cache: str | Path | None = None,
) -> Dataset:
    """Your own pictures: CLASS/IMAGE, or train/CLASS/IMAGE with val and test beside it.

    Class names come from `words.txt` (lines of FOLDER<tab>WORDS) where there is one.

    Args:
        root: a folder or a zip; one enclosing folder is looked through.
        size: height and width in pixels; pictures that are not square are stretched.
        channels: 1 (grey) or 3 (colour).
        split: class folders under `train`, `val` and `test`; when None, the parts of the source,
            or else a seeded draw of classes.
        fractions: shares of classes in train, val and test for the seeded draw.
        split_seed: seed of that draw.
        cache: the cache folder, when not the default one.

    Raises:
        ConfigError: the path or an option is not usable.
        DataError: the source is damaged, hostile, or not laid out by class; a class or an image is
            in two splits.
    """
    with open_source(root) as source:
        key = {
            "loader": ["folder", _VERSION],
            "source": source.fingerprint(),
            "size": size,
            "channels": channels,
            "pillow": PIL.__version__,
        }
        table = cached_table("folder", key, lambda: _build(source, root, size, channels), cache)
        words = _words(source)
    folders = table.class_names
    splits: ClassSplits
    if split is not None:
        splits = declared_split(split, {name: [c] for c, name in enumerate(folders)}, "class")
        how = "declared"
    elif table.parts is not None:
        parts = table.parts
        splits = {
            part: tuple(c for c, found in enumerate(parts) if found == part) for part in SPLITS
        }
        how = "parts of the source"
    else:
        splits = seeded_split(len(folders), fractions, split_seed)
        how = f"drawn with seed {split_seed}"
    table = replace(table, class_names=_names(folders, words))
    return table.dataset(Path(root).stem, splits, {"split": how})


def _build(source: Source, root: str | Path, size: int, channels: int) -> ImageTable:
    prefix = _enclosing_folder([name for name in source.names if is_image(name)])
    files = [name for name in source.names if is_image(name) and name.startswith(prefix)]
    paths = [name[len(prefix) :].split("/") for name in files]
    if not files:
        raise DataError(f"{root}: no pictures; expected CLASS/IMAGE or train/CLASS/IMAGE")
    by_part = {path[0] for path in paths} <= set(_PARTS)
    depth = 2 if by_part else 1
    shallow = [name for name, path in zip(files, paths, strict=True) if len(path) <= depth]
    if shallow:
        expected = "PART/CLASS/IMAGE" if by_part else "CLASS/IMAGE"
        raise DataError(f"{root}: expected {expected}, got {three_of(map(repr, shallow))}")
    _check_mixture(root, paths)
    part_of: dict[str, str] = {}
    labels = []
    order: dict[str, int] = {}
    for path in paths:
        name = path[depth - 1]
        part = _PARTS[path[0]] if by_part else ""
        if part_of.setdefault(name, part) != part:
            raise DataError(
                f"{root}: class folder {name!r} is in both {part_of[name]} and {part}; meta-train, "
                "meta-val and meta-test classes must be disjoint"
            )
        labels.append(order.setdefault(name, len(order)))
    return make_table(
        decode_files(source, files, channels=channels, size=size, title="decoding pictures"),
        np.asarray(labels, np.int64),
        list(order),
        parts=list(part_of.values()) if by_part else None,
        info={
            "polarity": "as in the files",
            "resampling": RESAMPLING,
            "pillow": PIL.__version__,
            "links_skipped": source.links_skipped,
            "files_skipped": len(source.names) - len(files),
        },
    )


def _enclosing_folder(names: Sequence[str]) -> str:
    """The folder, with its slash, that holds every picture without being a part; else ''."""
    tops = {name.split("/")[0] for name in names}
    top = next(iter(tops), "")
    enclosing = len(tops) == 1 and top not in _PARTS
    return f"{top}/" if enclosing and all(name.count("/") > 1 for name in names) else ""


def _check_mixture(root: str | Path, paths: Sequence[Sequence[str]]) -> None:
    tops = {path[0] for path in paths}
    nested = {path[0] for path in paths if path[0] in _PARTS and len(path) > 2}
    if nested and not tops <= set(_PARTS):
        others = three_of(map(repr, sorted(tops - set(_PARTS))))
        raise DataError(
            f"{root}: {three_of(sorted(nested))} look like splits, but {others} stand beside them; "
            "move them away or into a split"
        )


def _words(source: Source) -> Mapping[str, str]:
    tables = [n for n in source.names if n.split("/")[-1] == "words.txt" and n.count("/") < 2]
    if not tables:
        return {}
    lines = source.read(tables[0]).decode("utf-8", "replace").splitlines()
    pairs = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name.strip(): words.strip() for name, words in pairs}


def _names(folders: Sequence[str], words: Mapping[str, str]) -> tuple[str, ...]:
    """The first word of each class, with its folder's name where that would be ambiguous."""
    short = [words.get(name, name).split(",")[0] or name for name in folders]
    counts = Counter(short)
    return tuple(
        word if counts[word] == 1 else f"{word} ({name})"
        for word, name in zip(short, folders, strict=True)
    )
