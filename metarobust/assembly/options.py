"""Calls a registered factory with the free options of a configuration, after checking them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from metarobust.core.errors import ConfigError, did_you_mean

T = TypeVar("T")


def build(factory: Callable[..., T], what: str, options: Mapping[str, Any], *first: Any) -> T:
    """`factory(*first, **options)`, refusing options that the factory does not have.

    Args:
        factory: a class or function whose keyword-only parameters are its options.
        what: how an error names it, e.g. `backbone conv4`.
        options: keyword arguments from a configuration.
        first: positional arguments that the configuration does not decide.

    Raises:
        ConfigError: an option is unknown or missing, or the factory refuses a value's type.
    """
    known = options_of(factory)
    for name in options:
        if name not in known:
            raise ConfigError(f"{what} has no option '{name}': {did_you_mean(name, known)}")
    missing = [
        name
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty and name not in options
    ]
    if missing:
        raise ConfigError(f"{what} needs the option '{missing[0]}'")
    try:
        return factory(*first, **options)
    except TypeError as problem:
        raise ConfigError(f"{what}: {problem}") from problem


def options_of(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a factory: its keyword-only parameters, or a dataclass's fields."""
    parameters = inspect.signature(factory).parameters
    keyword = {k: p for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    return keyword or {k: p for k, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
