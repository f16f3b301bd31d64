"""The cache of decoded tables: built once, published whole, verified and mapped at each load."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metarobust.core.digest import digest_arrays, digest_json
from metarobust.core.errors import DataError, MetarobustError
from metarobust.core.jsonio import read_json, write_json
from metarobust.data.table import ImageTable

_SCHEMA = 1


def default_cache() -> Path:
    """`METAROBUST_CACHE` where it is set, else `metarobust` in the user's cache folder."""
    if chosen := os.environ.get("METAROBUST_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "metarobust"


def cached_table(
    name: str,
    key: Mapping[str, Any],
    build: Callable[[], ImageTable],
    cache: str | Path | None = None,
) -> ImageTable:
    """The table of this key, from the cache where it lies there undamaged, else built and kept.

    Two processes may build at once: each writes a folder of its own and renames it into place;
    whoever comes second uses what the first one published.

    Args:
        name: what the entry is called, before the digest of its key.
        key: JSON-ready; everything that decides the table's content: versions, options, source.
        build: makes the table.
        cache: the cache folder; `default_cache()` when None.

    Raises:
        DataError: the cache folder cannot be written.
    """
    folder = default_cache() if cache is None else Path(cache).expanduser()
    entry = folder / f"{name}-{digest_json({**key, 'schema': _SCHEMA})[:16]}"
    table = _load(entry)
    if table is None:
        built = build()
        try:
            _publish(built, entry)
        except OSError as problem:
            raise DataError(
                f"cache {folder}: cannot be written ({problem.strerror or problem}); "
                "point METAROBUST_CACHE at a folder that can"
            ) from None
        table = _load(entry) or built
    return table


def _load(entry: Path) -> ImageTable | None:
    """The published table, its content checked against its digest; None if absent or damaged."""
    try:
        facts = read_json(entry / "table.json")
        images = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(entry / "labels.npy", allow_pickle=False)
        if digest_arrays({"images": images, "labels": labels}) != facts["digest"]:
            return None
        return ImageTable(
            images=images,
            labels=labels,
            class_names=tuple(facts["class_names"]),
            groups=None if facts["groups"] is None else tuple(facts["groups"]),
            parts=None if facts["parts"] is None else tuple(facts["parts"]),
            twins=tuple(tuple(rows) for rows in facts["twins"]),
            digest=facts["digest"],
            info=facts["info"],
        )
    except (MetarobustError, OSError, ValueError, EOFError, KeyError, TypeError):
        return None


def _publish(table: ImageTable, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    fresh = work / "fresh"
    try:
        fresh.mkdir()
        np.save(fresh / "images.npy", table.images)
        np.save(fresh / "labels.npy", table.labels)
        facts = {
            "class_names": table.class_names,
            "groups": table.groups,
            "parts": table.parts,
            "twins": table.twins,
            "digest": table.digest,
            "info": table.info,
        }
        write_json(fresh / "table.json", facts)
        if entry.exists() and _load(entry) is None:
            entry.rename(work / "damaged")
        try:
            fresh.rename(entry)
        except OSError:
            if _load(entry) is None:
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
