"""Omniglot: handwritten characters of many alphabets, from the official archives."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.archive import Source, local_path, open_source
from metarobust.data.base import Dataset
from metarobust.data.cache import cached_table
from metarobust.data.images import RESAMPLING, decode_files, is_image
from metarobust.data.registry import DATASETS
from metarobust.data.splits import DeclaredSplit, declared_split
from metarobust.data.table import ImageTable, make_table

_VERSION = 1

_SUBSETS: Mapping[str, tuple[str, ...]] = {
    "full": ("images_background", "images_evaluation"),
    "small1": ("images_background_small1",),
    "small2": ("images_background_small2",),
    "background": ("images_background",),
    "evaluation": ("images_evaluation",),
}

_SMALL_SPLITS: Mapping[str, DeclaredSplit] = {
    "small1": {
        "train": ["Balinese", "Early_Aramaic", "Korean"],
        "val": ["Greek"],
        "test": ["Latin"],
    },
    "small2": {
        "train": ["Japanese_(katakana)", "Sanskrit", "Tagalog"],
        "val": ["Greek"],
        "test": ["Latin"],
    },
}

# The five smallest background alphabets, as Meta-Dataset (Triantafillou et al., 2020) holds out.
_VAL_ALPHABETS = (
    "Alphabet_of_the_Magi",
    "Blackfoot_(Canadian_Aboriginal_Syllabics)",
    "Inuktitut_(Canadian_Aboriginal_Syllabics)",
    "Ojibwe_(Canadian_Aboriginal_Syllabics)",
    "Tagalog",
)


@DATASETS.register("omniglot")
def omniglot(
    *,
    root: str | Path,
    subset: str | None = None,
    split: DeclaredSplit | None = None,
    rotations: bool = False,
    size: int = 28,
    cache: str | Path | None = None,
) -> Dataset:
    """Handwritten characters (Lake et al., 2015), 20 drawers each, split by alphabet.

    Ink is 255 on 0: the files hold the reverse, and `info["polarity"]` records it. The full set
    uses the official background and evaluation alphabets, with the five smallest background
    alphabets as meta-val; results on `small1` and `small2` are not comparable with published
    Omniglot numbers.

    Args:
        root: an official zip, its extracted folder, or a folder that holds several of either.
        subset: `full`, `small1`, `small2`, `background` or `evaluation`; found from `root` when
            only one fits.
        split: alphabets under `train`, `val` and `test`; the declared default of the subset when
            None. `background` or `evaluation` alone have no default.
        rotations: turns by 90, 180 and 270 degrees are classes of their own, in the split of
            their character.
        size: height and width in pixels.
        cache: the cache folder, when not the default one.

    Raises:
        ConfigError: the path, the subset, the split or the size is not usable.
        DataError: an archive is damaged or hostile, or not laid out as Omniglot is.
    """
    parts = _find_parts(local_path(root))
    subset = _choose_subset(parts, subset, root)
    with ExitStack() as stack:
        sources = {part: stack.enter_context(open_source(parts[part])) for part in _SUBSETS[subset]}
        key = {
            "loader": ["omniglot", _VERSION],
            "sources": {part: source.fingerprint() for part, source in sources.items()},
            "rotations": rotations,
            "size": size,
            "pillow": PIL.__version__,
        }
        table = cached_table("omniglot", key, lambda: _build(sources, size, rotations), cache)
    groups = table.groups or ()
    members = {a: [c for c, group in enumerate(groups) if group == a] for a in sorted(set(groups))}
    chosen = _default_split(subset, table) if split is None else split
    splits = declared_split(chosen, members, "alphabet")
    alphabets = {part: sorted({groups[c] for c in ids}) for part, ids in splits.items()}
    return table.dataset("omniglot", splits, {"subset": subset, "alphabets": alphabets})


def _find_parts(root: Path) -> dict[str, Path]:
    """The official archives, zipped or extracted, that a path holds."""
    official = sorted({part for parts in _SUBSETS.values() for part in parts})
    if root.stem in official and (root.is_file() or root.name == root.stem):
        return {root.stem: root}
    found = {}
    for part in official:
        for candidate in (root / part, root / f"{part}.zip"):
            if candidate.exists():
                found[part] = candidate
                break
    if not found:
        raise ConfigError(
            f"root: no Omniglot in {root}; expected one of {', '.join(official)}, as a folder or "
            "a zip of that name"
        )
    return found


def _choose_subset(parts: Mapping[str, Path], subset: str | None, root: str | Path) -> str:
    fitting = [name for name, needed in _SUBSETS.items() if set(needed) <= set(parts)]
    if subset is None:
        if "full" in fitting:
            return "full"
        if len(fitting) == 1:
            return fitting[0]
        raise ConfigError(f"subset: {root} holds {', '.join(fitting)}; choose one")
    if subset not in fitting:
        raise ConfigError(f"subset: {root} holds {', '.join(fitting)}, not {subset!r}")
    return subset


def _default_split(subset: str, table: ImageTable) -> DeclaredSplit:
    if subset in _SMALL_SPLITS:
        return _SMALL_SPLITS[subset]
    if subset != "full" or table.groups is None or table.parts is None:
        raise ConfigError(
            f"split: {subset} alone has no official split; list alphabets under train, val, test"
        )
    split: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for alphabet, part in sorted(set(zip(table.groups, table.parts, strict=True))):
        held_out = "val" if alphabet in _VAL_ALPHABETS else "train"
        split["test" if part == "images_evaluation" else held_out].append(alphabet)
    return split


def _build(sources: Mapping[str, Source], size: int, rotations: bool) -> ImageTable:
    images, labels = [], []
    names: list[str] = []
    groups: list[str] = []
    parts: list[str] = []
    for part, source in sources.items():
        files = [name for name in source.names if is_image(name)]
        characters: dict[str, int] = {}
        for name in files:
            pieces = name.split("/")
            if len(pieces) < 3:
                raise DataError(
                    f"omniglot: expected ALPHABET/characterNN/IMAGE.png, got {name!r} in {part}"
                )
            character = "/".join(pieces[-3:-1])
            if character not in characters:
                characters[character] = len(names)
                names.append(character)
                groups.append(pieces[-3])
                parts.append(part)
            labels.append(characters[character])
        images.append(
            255 - decode_files(source, files, channels=1, size=size, title=f"decoding {part}")
        )
    if not labels:
        raise DataError(f"omniglot: no pictures in {', '.join(sources)}")
    info: dict[str, Any] = {
        "polarity": "ink = 255 on 0 (inverted from the files)",
        "resampling": RESAMPLING,
        "rotations": rotations,
        "pillow": PIL.__version__,
    }
    stacked, label = np.concatenate(images), np.asarray(labels, np.int64)
    turns = range(4 if rotations else 1)
    return make_table(
        np.concatenate([np.rot90(stacked, k, axes=(2, 3)) for k in turns]),
        np.concatenate([label + k * len(names) for k in turns]),
        [name if k == 0 else f"{name} turned {90 * k}" for k in turns for name in names],
        groups=groups * len(turns),
        parts=parts * len(turns),
        info=info,
    )
