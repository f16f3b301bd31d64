"""A lock on an open file: the system's, so that it vanishes with a killed process."""

import os
import sys

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> None:
        """Lock a file; BlockingIOError or PermissionError where another has."""
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # a locked byte cannot be read: not in the text
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock a file; BlockingIOError or PermissionError where another has."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
