"""The two ways to open `run.db`: as its only writer, or as a reader that changes nothing."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from metarobust.audit.schema import FILE, is_blank
from metarobust.core.errors import StoreError
from metarobust.core.writer import only_writer


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say about a file into one line that names it."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except (sqlite3.OperationalError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise StoreError(
            f"{path}: {reason}; mend that and run the same command again, finished blocks are kept"
        ) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as problem:
        raise StoreError(
            f"{path}: damaged or truncated ({problem}); restore the file from a copy, or delete "
            "its folder and run again"
        ) from None


@contextmanager
def writing(folder: Path, *, create: bool) -> Iterator[sqlite3.Connection]:
    """The one writing connection to a run, under the lock that makes it the only one.

    Every commit is on disk when it returns (rollback journal, synchronous FULL: unlike WAL, this
    also holds on network file systems).

    Raises:
        StoreError: there is no run and `create` is false; the folder or the file is a symbolic
            link, cannot be written, is locked by another driver, or is not a run of ours.
    """
    path = folder / FILE
    for place in (folder, path):
        if place.is_symlink():
            raise StoreError(
                f"{place}: expected a real run folder and file, got a symbolic link to "
                f"{place.resolve()}; name the real folder"
            )
    if sqlite3.sqlite_version_info < (3, 37):
        raise StoreError(f"expected SQLite 3.37 or newer, got {sqlite3.sqlite_version}; upgrade it")
    if is_blank(path) and not create:
        raise StoreError(f"{path}: no run here; start one with `metarobust audit`")
    with ExitStack() as stack:
        with plain_errors(folder):
            stack.enter_context(only_writer(folder, StoreError))
            connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            stack.enter_context(closing(connection))
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        yield connection
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA journal_mode = DELETE")  # leaves no empty journal behind


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection that never creates or changes a file.

    If the driver was killed in the middle of a write, the half-written change is undone in a copy
    in memory; the next driver undoes it in the file.

    Raises:
        StoreError: there is no run, or the file is not a run of ours or is damaged.
    """
    path = folder / FILE
    if is_blank(path):
        raise StoreError(f"{path}: no run here; expected the folder of a metarobust run")
    with plain_errors(path):
        connection = _read_only(path)
    with closing(connection):
        yield connection


def _read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except (sqlite3.Error, UnicodeDecodeError) as problem:
        connection.close()
        if "readonly" in str(problem):  # SQLITE_READONLY_ROLLBACK: a killed driver's journal
            return _rolled_back_copy(path)
        raise
    return connection


def _rolled_back_copy(path: Path) -> sqlite3.Connection:
    """The last committed state of a file with a hot journal, in memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with tempfile.TemporaryDirectory(prefix="metarobust-") as scratch:
            for name in (path.name, f"{path.name}-journal"):
                shutil.copyfile(path.with_name(name), Path(scratch, name))
            with closing(sqlite3.connect(Path(scratch, path.name))) as copy:
                copy.backup(memory)
        memory.execute("PRAGMA query_only = ON")
    except BaseException:
        memory.close()
        raise
    return memory
