"""JSON with one spelling per value, and files that are either whole or absent."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from metarobust.core.errors import MetarobustError
from metarobust.core.locks import lock

PARTIAL = ".partial-metarobust"
"""How the name of a file ends that is not written yet."""


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, NaN refused.

    >>> canonical_json({"b": 1, "a": [0.5]})
    '{"a":[0.5],"b":1}'

    Raises:
        ValueError: the value holds NaN or an infinity, which JSON cannot say.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one whole.

    Raises:
        OSError: the system refused; its `filename` is `path`, also where a temporary file failed.
    """
    try:
        _write_atomic(path, content.encode() if isinstance(content, str) else content)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from problem


def _write_atomic(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stream, temporary = _temporary(path)
    try:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        if sys.platform == "win32":
            stream.close()  # an open file cannot be renamed there
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        stream.close()


def _temporary(path: Path) -> tuple[IO[bytes], Path]:
    """A file beside `path`, locked as long as it is open, so that `sweep` leaves it alone."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent)
        stream = os.fdopen(handle, "wb")
        with suppress(OSError):  # swept between its making and its locking, or no locks here
            lock(handle)
        if os.fstat(handle).st_nlink:
            return stream, Path(name)
        stream.close()


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in a folder and in those directly below.

    A file that is being written is locked by its writer and stays. Windows, where a file is not
    locked while it is renamed, is left as it is.
    """
    if sys.platform == "win32":
        return
    for path in (*folder.glob(f".*{PARTIAL}"), *folder.glob(f"*/.*{PARTIAL}")):
        with suppress(OSError), path.open("r+b") as stream:
            lock(stream.fileno())
            path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically; NaN is refused."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path, error: type[MetarobustError] = MetarobustError) -> Any:
    """Read a JSON file, or raise `error` saying which file and why.

    Raises:
        error: the file is missing, is not UTF-8 JSON, or is nested too deeply.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise error(f"{path}: expected JSON, got something else ({problem})") from None
    except RecursionError:
        raise error(f"{path}: nested too deeply to be one of ours") from None


def check_kinds(
    path: Path, facts: Mapping[str, Any], kinds: Mapping[str, type], error: type[MetarobustError]
) -> None:
    """Check facts that may be missing or null, and that were read from a file a person can edit.

    Args:
        path: of that file.
        facts: its content.
        kinds: what stands at a dotted place; a mapping before what is in it.
        error: what is raised.

    Raises:
        error: something else stands at a place.
    """
    for place, kind in kinds.items():
        value: Any = facts
        for key in place.split("."):
            value = (value or {}).get(key)
        fits = isinstance(value, int | float if kind is float else kind)
        if value is not None and not fits:
            raise error(
                f"{path}: {place}: expected {_KINDS[kind]}, got {value!r:.40}; restore the file "
                "that metarobust wrote"
            )


_KINDS = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "text",
}
