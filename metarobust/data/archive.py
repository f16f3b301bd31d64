"""Files of a folder or a zip, listed and read in place; nothing is extracted or trusted."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Protocol

from metarobust.core.digest import digest_file, digest_json
from metarobust.core.errors import ConfigError, DataError

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold before it counts as a bomb.

    Attributes:
        files: most files in a folder or zip (ImageNet has 1.3 million).
        file_bytes: largest single file, unpacked.
        total_bytes: largest sum of unpacked sizes of a zip.
        ratio: largest ratio of that sum to the size of the zip. Pictures are compressed already,
            so real archives stay below 10; deflate cannot exceed 1032.
        ratio_floor: unpacked bytes below which the ratio does not matter.
    """

    files: int = 2_000_000
    file_bytes: int = 1 << 28
    total_bytes: int = 1 << 36
    ratio: float = 100.0
    ratio_floor: int = 1 << 24


class Source(Protocol):
    """A place that holds files.

    Attributes:
        names: relative names with forward slashes, sorted; hidden files and `__MACOSX` left out.
        links_skipped: links inside the root that were not followed.
    """

    names: tuple[str, ...]
    links_skipped: int

    def read(self, name: str) -> bytes:
        """The bytes of one file; DataError names a file that cannot be read."""

    def fingerprint(self) -> str:
        """A digest that changes when the source does (a zip: its bytes; a folder: its listing)."""


@contextmanager
def open_source(root: str | Path, limits: Limits | None = None) -> Iterator[Source]:
    """Open a folder or a zip for reading; the zip is closed at the end of the block.

    Raises:
        ConfigError: the path is a URL or does not exist.
        DataError: the archive is truncated, hostile or too large; the message says which.
    """
    path = local_path(root)
    if path.is_dir():
        yield _Folder(path, limits or Limits())
        return
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as problem:
        raise DataError(f"{path}: expected a zip, got {_looks_like(path)} ({problem})") from None
    with archive:
        yield _Zip(path, archive, limits or Limits())


def local_path(root: str | Path) -> Path:
    """An existing local path, `~` expanded.

    Raises:
        ConfigError: the path is empty, a URL, or not there.
    """
    text = str(root)
    if "://" in text:
        raise ConfigError(f"root: expected a local path, got the URL {text!r}; download it first")
    if not text or "\0" in text:
        raise ConfigError(f"root: expected a path, got {text!r}")
    path = Path(text).expanduser()
    if not path.exists():
        raise ConfigError(f"root: there is no {path} (relative paths start at {Path.cwd()})")
    return path


class _Folder:
    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root.resolve()
        self._limits = limits
        self.links_skipped = 0
        self._stats: dict[str, tuple[int, int]] = {}
        for folder, _, _ in os.walk(self._root, followlinks=False):
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._take(entry)
        self.names = tuple(sorted(self._stats))

    def _take(self, entry: os.DirEntry[str]) -> None:
        name = Path(entry.path).relative_to(self._root).as_posix()
        if _hidden(name):
            return
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            if not target.is_relative_to(self._root):
                raise DataError(f"{self._root}: link {name!r} leaves the folder; copy the file")
            self.links_skipped += 1
        elif entry.is_file(follow_symlinks=False):
            facts = entry.stat(follow_symlinks=False)
            self._stats[name] = (facts.st_size, facts.st_mtime_ns)
            _check_count(self._root, len(self._stats), self._limits)

    def read(self, name: str) -> bytes:
        size, limit = self._stats[name][0], self._limits.file_bytes
        if size > limit:
            raise DataError(f"{self._root}: {name!r} has {size} bytes; the limit is {limit}")
        try:
            return (self._root / name).read_bytes()
        except OSError as problem:
            raise DataError(f"{self._root}: {name!r} cannot be read ({problem.strerror})") from None

    def fingerprint(self) -> str:
        return digest_json([str(self._root), sorted(self._stats.items())])


class _Zip:
    links_skipped = 0

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._path = path
        self._archive = archive
        members = archive.infolist()
        _check_count(path, len(members), limits)
        files: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            _check_member(path, member, limits)
            if member.is_dir() or _hidden(member.filename):
                continue
            if member.filename in files:
                raise DataError(f"{path}: two members are called {member.filename!r}; refused")
            files[member.filename] = member
        total, packed = sum(m.file_size for m in members), path.stat().st_size
        if total > limits.total_bytes or (
            total > limits.ratio_floor and total > limits.ratio * packed
        ):
            raise DataError(
                f"{path}: {packed} bytes would unpack to {total} (limits: {limits.total_bytes} "
                f"bytes, {limits.ratio:g} times the zip); refused as a decompression bomb"
            )
        self._files = files
        self.names = tuple(sorted(files))

    def read(self, name: str) -> bytes:
        try:
            return self._archive.read(self._files[name])
        except _DAMAGED as problem:
            raise DataError(f"{self._path}: member {name!r} is damaged ({problem})") from None

    def fingerprint(self) -> str:
        return digest_file(self._path)


def _check_count(where: Path, count: int, limits: Limits) -> None:
    if count > limits.files:
        raise DataError(f"{where}: more than {limits.files} files; refused")


def _check_member(path: Path, member: zipfile.ZipInfo, limits: Limits) -> None:
    name = member.orig_filename
    if PureWindowsPath(name).anchor or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise DataError(
            f"{path}: member {name!r} is not a relative path inside the archive; the whole zip is "
            "refused"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DataError(f"{path}: member {name!r} is a link; the whole zip is refused")
    if member.flag_bits & 0x1:
        raise DataError(f"{path}: member {name!r} is encrypted; decrypt the zip first")
    if member.file_size > limits.file_bytes:
        raise DataError(
            f"{path}: member {name!r} unpacks to {member.file_size} bytes (limit "
            f"{limits.file_bytes}); refused as a decompression bomb"
        )


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _looks_like(path: Path) -> str:
    """What a file that should have been an archive seems to be, from its first bytes."""
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError:
        return "a file that cannot be read"
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: fetch the file itself"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "an HTML page: the download failed"
    if start.startswith(b"PK"):
        return "a truncated or damaged one: download it again"
    return "another kind of file"
