"""The file `run.db`: its tables, its marks, and whose it is."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

from metarobust import __version__
from metarobust.core.digest import digest_json
from metarobust.core.errors import StoreError
from metarobust.core.jsonio import canonical_json

FILE = "run.db"
APPLICATION_ID = 0x4D524F42  # "MROB", at byte 68 of the file
VERSION = 1  # of the tables, at byte 60 of the file

DECIDED_ELSEWHERE = ("dataset", "learners", "plugins", "threats", "weights")
"""Parts of an experiment that say where things lie and what they are called.

What of them decides a number is in its `dataset_digest` and in the digest of its `cells`.
"""

# `audit.metarobust` and both marks keep their place in every later version: an older metarobust
# reads them to say which one is needed.
TABLES = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    metarobust TEXT NOT NULL,
    experiment TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE cell (
    key TEXT PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,
    expected INTEGER NOT NULL CHECK (expected > 0),
    description TEXT NOT NULL
) STRICT;
CREATE TABLE block (
    key TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell,
    start INTEGER NOT NULL CHECK (start >= 0),
    count INTEGER NOT NULL CHECK (count > 0),
    seconds REAL NOT NULL,
    sha256 TEXT NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (cell, start)
) STRICT;
CREATE TABLE failure (
    key TEXT PRIMARY KEY,
    cell TEXT NOT NULL REFERENCES cell,
    start INTEGER NOT NULL,
    error TEXT NOT NULL,
    message TEXT NOT NULL,
    tries INTEGER NOT NULL
) STRICT;
CREATE TABLE environment (
    id INTEGER PRIMARY KEY,
    facts TEXT NOT NULL UNIQUE
) STRICT;
"""


def is_blank(path: Path) -> bool:
    """Whether nothing is stored at a path yet: no file, or one that a killed creation left empty.

    Reads the 100-byte header of the file and nothing else, so that a stranger's is never touched.

    Raises:
        StoreError: the file is not a run, or was made by a newer metarobust.
    """
    try:
        with path.open("rb") as stream:
            header = stream.read(100)
    except FileNotFoundError:
        return True
    except OSError as problem:
        raise StoreError(f"{path}: cannot be read ({problem.strerror})") from None
    if not header:
        return True
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{path}: not a metarobust run (not an SQLite file, or a truncated one)")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreError(f"{path}: not a metarobust run, but the database of another program")
    version = int.from_bytes(header[60:64], "big")
    if version > VERSION:
        raise StoreError(
            f"{path}: expected tables of version {VERSION}, got {version}, made by metarobust "
            f"{_maker(path)}; this is metarobust {__version__}: upgrade it"
        )
    return False


def _maker(path: Path) -> str:
    """The version of metarobust that made a run, as far as it can be read."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (maker,) = connection.execute("SELECT metarobust FROM audit").fetchone()
            return str(maker)
    except (sqlite3.Error, TypeError, UnicodeDecodeError):
        return "of a later date"


def claim(connection: sqlite3.Connection, path: Path, experiment: Mapping[str, Any]) -> None:
    """Make an empty file the run of an experiment, or check that it is; inside a transaction.

    Files that were moved, and other labels, make no other experiment.

    Raises:
        StoreError: it is the run of another experiment; the parts that differ are named.
    """
    text, digest = canonical_json(experiment), digest_json(experiment)
    if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO audit VALUES (1, ?, ?, ?)", (__version__, text, digest))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    try:
        (stored,) = connection.execute("SELECT experiment FROM audit").fetchone()
        earlier, given = json.loads(stored), json.loads(text)
    except (TypeError, ValueError) as problem:
        raise StoreError(
            f"{path}: the text of the experiment is damaged ({problem}); restore the file from a "
            "copy, or delete its folder and run again"
        ) from None
    if _content(earlier) != _content(given):
        found = list(_differences(earlier, given))
        shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if found[5:] else "")
        raise StoreError(
            f"{path}: the run of another experiment; these differ: {shown}; choose another run "
            "name, or delete the folder"
        )


def _content(experiment: Mapping[str, Any]) -> str:
    return digest_json({k: v for k, v in experiment.items() if k not in DECIDED_ELSEWHERE})


class _Absent:
    def __repr__(self) -> str:
        return "absent"


def _differences(stored: Any, given: Any, place: str = "") -> Iterator[str]:
    """The dotted places where two JSON values differ, each with both values.

    >>> list(_differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}, "d": [0.5]}))
    ['a.b (1 stored, 3 now)', 'd (absent stored, [0.5] now)']
    """
    pairs: Iterable[tuple[Any, Any, Any]] | None = None
    if isinstance(stored, dict) and isinstance(given, dict):
        names = sorted({*stored, *given})
        pairs = [(n, stored.get(n, _Absent()), given.get(n, _Absent())) for n in names]
    elif isinstance(stored, list) and isinstance(given, list):
        both = zip_longest(stored, given, fillvalue=_Absent())
        pairs = [(n, old, new) for n, (old, new) in enumerate(both)]
    if pairs is not None:
        for name, old, new in pairs:
            yield from _differences(old, new, f"{place}.{name}" if place else str(name))
    elif repr(stored) != repr(given):
        yield f"{place} ({_short(stored)} stored, {_short(given)} now)"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
