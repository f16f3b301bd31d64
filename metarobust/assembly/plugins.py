"""Plug-ins: the user's own Python files, run only when named on the command line."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metarobust.core.digest import digest_file
from metarobust.core.errors import ConfigError


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
    if not path.is_file():
        raise ConfigError(f"plug-in {file}: no such file")
    # A name of its own, so that plug-ins called alike, or called like a package, stay apart.
    module_name = f"metarobust_plugin_{digest_file(path)[:16]}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise ConfigError(f"plug-in {file}: Python cannot import this file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as problem:
            del sys.modules[module_name]
            raise ConfigError(f"plug-in {file}: {type(problem).__name__}: {problem}") from problem
    try:
        found: Callable[..., Any] = getattr(module, name)
    except AttributeError:
        raise ConfigError(f"plug-in {file} has no '{name}'") from None
    return found
