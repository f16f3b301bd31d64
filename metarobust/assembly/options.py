"""Calls a registered factory with the free options of a configuration, after checking them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from metarobust.config.fields import shown
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
        ConfigError: an option is unknown, missing, or not the number or flag it should be; or the
            factory refuses a value.
    """
    known = options_of(factory, given=len(first))
    for name, value in options.items():
        if name not in known:
            raise ConfigError(f"{what} has no option '{name}': {did_you_mean(name, known)}")
        if expected := _other_than(known[name].annotation, value):
            raise ConfigError(f"{what}, option '{name}': expected {expected}, got {shown(value)}")
    missing = [
        name
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty and name not in options
    ]
    if missing:
        raise ConfigError(f"{what} needs the option '{missing[0]}'")
    try:
        return factory(*first, **options)
    except ConfigError as problem:
        raise ConfigError(f"{what}: {problem}") from problem
    except (TypeError, RuntimeError) as problem:  # torch: RuntimeError for an impossible size
        reason = str(problem).partition("\n")[0]
        raise ConfigError(f"{what}: {reason}") from problem


def options_of(factory: Callable[..., Any], *, given: int = 0) -> dict[str, inspect.Parameter]:
    """The options of a factory: its keyword-only parameters, or all that are not given by place.

    A class that passes further keywords on to its base has the base's options too.

    Args:
        factory: a class or function.
        given: how many arguments it gets by their place.
    """
    lineage = inspect.getmro(factory) if inspect.isclass(factory) else (factory,)
    options: dict[str, inspect.Parameter] = {}
    for source in lineage:
        parameters = inspect.signature(source).parameters.values()
        keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        placed = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][given:]
        options = {**{p.name: p for p in keyword or placed}, **options}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return options


def _other_than(annotation: Any, value: Any) -> str:
    """What a number or a flag should have been; empty if it is, or is annotated as neither.

    A wrong type could pass construction, and fail in the middle of a computation.
    """
    is_flag = isinstance(value, bool)
    if annotation is bool and not is_flag:
        return "true or false"
    if annotation is int and (is_flag or not isinstance(value, int)):
        return "a whole number"
    if annotation is float and (is_flag or not isinstance(value, int | float)):
        return "a number"
    return ""
