"""Every mistake of a configuration at once, each with its place, its cause and its cure."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from metarobust.config.fields import shown
from metarobust.config.yaml import Place
from metarobust.core.errors import ConfigError, did_you_mean

M = TypeVar("M", bound=BaseModel)

UNSET = "???"
"""What a configuration writes where the user must give a value."""

_EXPECTED = {
    "missing": "it is required",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text (quoted, if it looks like a number)",
    "bool_type": "true or false",
    "model_type": "a mapping (KEY: VALUE lines)",
    "model_attributes_type": "a mapping (KEY: VALUE lines)",
    "dict_type": "a mapping (KEY: VALUE lines)",
    "tuple_type": "a list",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "at least {min_length}, in a list or alone",
    "string_too_short": "a word",
}


def validate(model: type[M], data: Any, origins: Mapping[Place, str]) -> M:
    """Data as a model.

    Args:
        model: what the data should be.
        data: as read from YAML.
        origins: where a value was written, such as `quick.yaml, line 3`; a place without an entry
            was written where the nearest place above it was. `()` must be there.

    Raises:
        ConfigError: one line for each mistake: where it was written, its dotted path, what was
            expected, what came.
    """
    unset = list(_unset(data, ()))
    mistakes = [(place, _unset_message(place)) for place in unset]
    found: M | None = None
    try:
        found = model.model_validate(data)
    except ValidationError as problem:
        for error in filter(_is_real, problem.errors(include_url=False)):
            place = _written_place(error["loc"], data, missing=error["type"] == "missing")
            if place not in unset:
                mistakes.append((place, _message(error, model, place)))
    if mistakes or found is None:
        lines = [": ".join(filter(None, (_origin(p, origins), _dotted(p), m))) for p, m in mistakes]
        raise ConfigError("\n".join(dict.fromkeys(lines)))
    return found


def model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The model that stands at a place of another, or None where something else does."""
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int):
            continue
        if current is None or part not in current.model_fields:
            return None
        current = _model_in(current.model_fields[part].annotation)
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(argument) for argument in get_args(annotation))
    return next(filter(None, models), None)


def _is_real(error: Any) -> bool:
    """Whether an error is more than an echo: a list with a bad entry is also called too short."""
    if error["type"] != "too_short":
        return True
    shortage: int = error["ctx"]["min_length"] - len(error["input"])
    return shortage > 0


def _message(error: Any, model: type[BaseModel], place: Place) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        parent = model_at(model, place[:-1])
        known = parent.model_fields if parent is not None else ()
        return f"unknown key {shown(place[-1])}; {did_you_mean(str(place[-1]), known)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "required, but not given"
    expected = _EXPECTED.get(kind)
    if expected is None:
        return f"{error['msg']}, got {shown(error['input'])}"
    return f"expected {expected.format(**context)}, got {shown(error['input'])}"


def _written_place(place: Place, data: Any, *, missing: bool) -> Place:
    """The part of pydantic's location that exists in what the user wrote."""
    for depth, part in enumerate(place):
        inside = part in data if isinstance(data, dict) else _has_index(data, part)
        if not inside:
            return place[: depth + missing]
        data = data[part]
    return place


def _has_index(data: Any, part: str | int) -> bool:
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _origin(place: Place, origins: Mapping[Place, str]) -> str:
    depths = range(len(place), -1, -1)
    return next(origins[place[:depth]] for depth in depths if place[:depth] in origins)


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _unset(data: Any, place: Place) -> Iterator[Place]:
    if data == UNSET:
        yield place
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _unset(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _unset(value, (*place, index))


def _unset_message(place: Place) -> str:
    return f"not set; give it with --set {_dotted(place)}=VALUE"
