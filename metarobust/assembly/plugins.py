"""Plug-ins: the user's own files, run only where allowed, and what installed packages offer."""

import hashlib
import importlib
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from metarobust.attacks.catalogue import ENGINES
from metarobust.core.errors import ConfigError

ATTACKS = "metarobust.attacks"
"""The group of entry points that offer attack engines."""


def load_plugin(reference: str, allowed: frozenset[str]) -> Callable[..., Any]:
    """The object `FILE.py:NAME`.

    A configuration alone never makes code run: the file must have been allowed by `--allow-code`.

    Raises:
        ConfigError: the file was not allowed, does not exist, fails to import, or lacks the name.
    """
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py"):
        raise ConfigError(f"'{reference}': expected a registered name or FILE.py:NAME")
    path = Path(file).resolve()
    if str(path) not in {str(Path(entry).resolve()) for entry in allowed}:
        raise ConfigError(
            f"the configuration asks to run code from {file}; if you trust it, pass "
            f"--allow-code {file}"
        )
    module = _module(path)
    try:
        found: Callable[..., Any] = getattr(module, name)
    except AttributeError:
        raise ConfigError(f"plug-in {file} has no '{name}'") from None
    return found


def find_engine(name: str, allowed: frozenset[str]) -> Callable[..., Any]:
    """The factory of an attack engine: ours, an installed package's, or a file's.

    A package offers one as an entry point of the group `metarobust.attacks`. Installing it was the
    decision to run it, so a configuration may name it.

    Raises:
        ConfigError: there is none of that name, or several; or see `load_plugin` and
            `load_entry_point`.
    """
    if ":" in name:
        return load_plugin(name, allowed)
    if name not in ENGINES and (point := installed(ATTACKS, name)):
        return load_entry_point(point)
    return ENGINES[name]


def engine_digest(name: str) -> str | None:
    """SHA-256 of the code of an engine that was found; None of ours, which has our versions."""
    if name.rpartition(":")[0].endswith(".py"):
        return plugin_digest(name)
    point = None if name in ENGINES else installed(ATTACKS, name)
    return None if point is None else module_digest(point.value)


def installed(group: str, name: str) -> EntryPoint | None:
    """The entry point that installed packages call `name` in a group, or None; nothing is imported.

    Raises:
        ConfigError: they mean different things by it; the packages are named.
    """
    points = {point.value: point for point in entry_points(group=group, name=name)}
    if len(points) > 1:
        raise ConfigError(
            f"several installed packages offer '{name}' to {group}: "
            f"{' and '.join(sorted(map(_origin, points.values())))}; uninstall all but one, or "
            "name its code as docs/plugins.md says"
        )
    return next(iter(points.values()), None)


def _origin(point: EntryPoint) -> str:
    if point.dist is None:
        return point.value
    return f"{point.value} of {point.dist.name} {point.dist.version}"


def module_digest(reference: str) -> str:
    """SHA-256 of the file of `MODULE:NAME`, or of that name where the module has no file."""
    file = getattr(sys.modules.get(reference.partition(":")[0]), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file else reference.encode()).hexdigest()


def load_entry_point(point: EntryPoint) -> Callable[..., Any]:
    """The object that an entry point names.

    Raises:
        ConfigError: its import fails, or its module lacks the name.
    """
    try:
        importlib.import_module(point.module)
        found: Callable[..., Any] = point.load()
    except Exception as problem:
        reason = f"{type(problem).__name__}: {problem}"
        raise ConfigError(f"plug-in {point.value}: {reason}") from problem
    return found


def plugin_digest(reference: str) -> str:
    """SHA-256 of the file of `FILE.py:NAME`: its numbers are another's as soon as it is edited."""
    return hashlib.sha256(_source(Path(reference.rpartition(":")[0]))).hexdigest()


def _module(path: Path) -> ModuleType:
    """The module of a file, run once a process for each content.

    Its name is its own, so that plug-ins called alike, or called like a package, stay apart.
    """
    source = _source(path)
    name = f"metarobust_plugin_{hashlib.sha256(source).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except Exception as problem:
        del sys.modules[name]
        raise ConfigError(f"plug-in {path}: {type(problem).__name__}: {problem}") from problem
    return module


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"plug-in {path}: cannot be read ({problem.strerror})") from None
