"""The manifest of a run, as it is read (no torch)."""

from pathlib import Path
from typing import Any

from metarobust.core.errors import StoreError
from metarobust.core.jsonio import check_kinds, read_json

FILE = "manifest.json"

KINDS: dict[str, type] = {
    "name": str,
    "status": str,
    "limited": bool,
    "episodes": int,
    "evaluated": int,
    "until_halfwidth": float,
    "stopped": str,
    "command": list,
    "created": str,
    "finished": str,
    "seconds": float,
    "digests": dict,
    "versions": dict,
}
"""What pages and later calls read from it."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """The facts of the run in a folder.

    Raises:
        StoreError: they are missing or damaged.
    """
    path = folder / FILE
    found = read_json(path, StoreError)
    if not isinstance(found, dict):
        raise StoreError(f"{path}: expected the facts of a run, got other JSON")
    check_kinds(path, found, KINDS, StoreError)
    return found
