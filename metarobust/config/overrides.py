"""`--set a.b=value`: changes to a configuration from the command line."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import BaseModel

from metarobust.config.fields import shown
from metarobust.config.mistakes import model_at
from metarobust.config.model import Model
from metarobust.config.yaml import Place, parse_yaml
from metarobust.core.errors import ConfigError, did_you_mean


class Override(NamedTuple):
    """One change.

    Attributes:
        text: as typed.
        place: where the value goes.
        value: what goes there.
    """

    text: str
    place: Place
    value: Any


def parse_override(text: str) -> Override:
    """Read `PATH=VALUE`: keys and list indices joined by dots, and a YAML value.

    >>> parse_override("learners.0.options={inner_steps: 10}").place
    ('learners', 0, 'options')

    Raises:
        ConfigError: there is no `=`, a part of the path is empty, or the value is not strict YAML.
    """
    path, equals, value = text.partition("=")
    parts = path.strip().split(".")
    if not equals or not value.strip() or not all(parts):
        raise ConfigError(
            f"--set {text}: expected PATH=VALUE such as protocol.shots=1 (write null for nothing)"
        )
    place = tuple(int(p) if p.isascii() and p.isdecimal() else p for p in parts)
    return Override(text, place, parse_yaml(value, f"--set {text}").value)


def apply_overrides(
    data: dict[str, Any], overrides: Sequence[Override], model: type[BaseModel]
) -> dict[str, Any]:
    """The data of a configuration file after some changes; the later of two changes wins.

    Mappings on the way are made where they are missing, and a short form such as
    `dataset: glyphs` is written out; list entries must exist.

    Args:
        data: as read from the file; left unchanged.
        overrides: the changes.
        model: what the data should become, which knows the keys.

    Raises:
        ConfigError: a key or an index on the way does not exist. All such mistakes are listed.
    """
    changed = deepcopy(data)
    outcomes = [_try_to_apply(changed, override, model) for override in overrides]
    if mistakes := [mistake for mistake in outcomes if mistake]:
        raise ConfigError("\n".join(mistakes))
    return changed


def _try_to_apply(data: Any, override: Override, model: type[BaseModel]) -> str:
    """Apply one change; the mistake in it, or an empty string."""
    try:
        _apply(data, override, model)
    except ConfigError as problem:
        return f"--set {override.text}: {problem}"
    return ""


def _apply(data: Any, override: Override, model: type[BaseModel]) -> None:
    *way, last = override.place
    for depth, part in enumerate(way):
        _check_part(data, part, model, override.place[:depth])
        here = override.place[: depth + 1]
        inside = data.get(part) if isinstance(data, dict) else data[part]
        data[part] = _opened(inside, here, model)
        data = data[part]
    _check_part(data, last, model, override.place[:-1])
    data[last] = override.value


def _opened(value: Any, place: Place, model: type[BaseModel]) -> Any:
    """A value that something can be set inside."""
    inner = model_at(model, place)
    if isinstance(value, str) and inner is not None and issubclass(inner, Model):
        value = {inner.short_form: value} if inner.short_form else value
    if value is None:
        return {}
    if not isinstance(value, dict | list):
        raise ConfigError(f"{'.'.join(map(str, place))} is {shown(value)}, which has no parts")
    return value


def _check_part(data: Any, part: str | int, model: type[BaseModel], above: Place) -> None:
    if isinstance(data, list):
        if not isinstance(part, int) or part >= len(data):
            raise ConfigError(
                f"expected an index from 0 to {len(data) - 1} after '{'.'.join(map(str, above))}', "
                f"got {shown(part)}"
            )
        return
    owner = model_at(model, above)
    if owner is None or (issubclass(owner, Model) and owner.open_options):
        return
    if part not in owner.model_fields:
        raise ConfigError(
            f"unknown key {shown(part)}; {did_you_mean(str(part), owner.model_fields)}"
        )
