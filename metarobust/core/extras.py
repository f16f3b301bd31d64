"""Packages that only some commands need, asked for when they are needed."""

import importlib
from typing import Any

from metarobust.core.errors import ConfigError


def required(module: str, extra: str) -> Any:
    """A module of an optional package.

    Args:
        module: its name.
        extra: the extra of ours that installs it.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise ConfigError(
            f"{module.partition('.')[0]} is not installed; pip install 'metarobust[{extra}]', then "
            "give the same command again"
        ) from None
