"""The one process that may write a run folder at a time."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metarobust.core.errors import MetarobustError
from metarobust.core.jsonio import sweep
from metarobust.core.locks import lock

LOCK = "run.lock"


@contextmanager
def only_writer(folder: Path, error: type[MetarobustError]) -> Iterator[None]:
    """Hold a folder's lock, and remove what killed writers left; the folder is made if absent.

    The lock is not the presence of its file, and worker processes do not inherit it.

    Raises:
        error: another process holds it; that process is named.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(folder / LOCK, flags, 0o666), "r+b", buffering=0) as stream:
        try:
            lock(stream.fileno())
        except (BlockingIOError, PermissionError):
            stream.seek(0)
            holder = stream.read(200).decode(errors="replace").strip() or "unknown process"
            raise error(
                f"{folder}: another metarobust is writing this run ({holder}); wait for it, or "
                "choose another run name"
            ) from None
        except OSError:
            pass  # a file system without locks, such as Lustre at times: one writer is a promise
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        sweep(folder)
        yield
