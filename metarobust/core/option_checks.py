"""Refusals of option values, worded alike wherever an option is checked."""

import math
from collections.abc import Sequence

from metarobust.core.errors import ConfigError


def check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ConfigError: names the option, the choices and the value.

    >>> check_choice("loss", "mae", ("mse", "cross-entropy"))
    Traceback (most recent call last):
    ...
    metarobust.core.errors.ConfigError: loss: expected one of mse, cross-entropy, got 'mae'
    """
    if value not in choices:
        raise ConfigError(f"{what}: expected one of {', '.join(choices)}, got '{value}'")


def check_positive(what: str, value: float) -> None:
    """Refuse a number that is not above zero, or not finite.

    Raises:
        ConfigError: names the option, what was expected and the value.

    >>> check_positive("scale", 0)
    Traceback (most recent call last):
    ...
    metarobust.core.errors.ConfigError: expected scale > 0, got 0
    """
    _require(0 < value < math.inf, f"{what} > 0", value)


def check_at_least(what: str, value: float, least: float) -> None:
    """Refuse a number below the least that makes sense, or not finite.

    Raises:
        ConfigError: names the option, what was expected and the value.

    >>> check_at_least("width", 0, 1)
    Traceback (most recent call last):
    ...
    metarobust.core.errors.ConfigError: expected width >= 1, got 0
    """
    _require(least <= value < math.inf, f"{what} >= {least}", value)


def check_share(what: str, value: float) -> None:
    """Refuse a number outside [0, 1].

    Raises:
        ConfigError: names the option, what was expected and the value.

    >>> check_share("shrinkage", 1.5)
    Traceback (most recent call last):
    ...
    metarobust.core.errors.ConfigError: expected shrinkage in [0, 1], got 1.5
    """
    _require(0 <= value <= 1, f"{what} in [0, 1]", value)


def _require(holds: bool, expected: str, value: float) -> None:
    if not holds:
        raise ConfigError(f"expected {expected}, got {value}")
