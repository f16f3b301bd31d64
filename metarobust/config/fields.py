"""The scalar types of a configuration: ratios such as 8/255, safe names, counts, devices."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RATIO = re.compile(rf"\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_DEVICE_FILES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?", re.ASCII)
_LABEL_LENGTH = 80


def shown(value: object) -> str:
    """A value as an error quotes it: in YAML's words, and not too long.

    >>> shown(None), shown(True), shown("8/255")
    ('null', 'true', "'8/255'")
    """
    text = "null" if value is None else repr(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= 60 else f"{text[:57]}..."


def parse_ratio(value: object) -> float:
    """A number, however a person writes it: 8/255, 1e-3, 0.03 or 1.

    >>> parse_ratio("8/255") == 8 / 255
    True

    Raises:
        ValueError: it is neither a finite number nor a fraction of two; `true` is no number.
    """
    number = math.nan
    try:
        if isinstance(value, str) and (found := _RATIO.fullmatch(value)):
            number = float(found[1]) / float(found[2] or 1)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
    except (ZeroDivisionError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected number or fraction like 8/255, got {shown(value)}")
    return number + 0.0  # One zero: -0.0 would be a second spelling of it, with another digest.


def show_ratio(value: float) -> str:
    """The shortest exact way to write a ratio; k/255 where that is meant.

    >>> show_ratio(8 / 255), show_ratio(0.1), show_ratio(1.0), show_ratio(1e-3)
    ('8/255', '0.1', '1', '0.001')
    """
    decimal = f"{value:.6g}"
    if float(decimal) == value:
        return decimal
    numerator = round(255 * value)
    return f"{numerator}/255" if abs(255 * value - numerator) < 1e-9 else repr(value)


def check_name(name: str) -> str:
    """A name that is a safe file name on every system.

    Raises:
        ValueError: it could leave its folder, or be misread by a system or a person.
    """
    reserved = name.partition(".")[0].lower() in _DEVICE_FILES
    if not _NAME.fullmatch(name) or name.endswith(".") or reserved:
        raise ValueError(
            "expected a name of 1 to 64 letters a-z, digits, '_', '-' and '.', which starts with a "
            f"letter or digit, does not end in '.' and is no Windows device, got {shown(name)}"
        )
    return name


def _check_label(label: str) -> str:
    if not label.strip() or not label.isprintable() or len(label) > _LABEL_LENGTH:
        raise ValueError(
            f"expected one line of 1 to {_LABEL_LENGTH} printable characters, got {shown(label)}"
        )
    return label


def _check_device(device: str) -> str:
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"expected auto, cpu, cuda or cuda:K, got {shown(device)}")
    return device


def _parse_step(value: object) -> object:
    if value == "auto":
        return value
    size = parse_ratio(value)
    if size <= 0:
        raise ValueError(f"expected more than 0, got {shown(value)}")
    return size


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


_RATIO_SCHEMA: list[JsonValue] = [
    {"type": "number"},
    {"type": "string", "pattern": f"^{_NUMBER}(/{_NUMBER})?$"},
]

Ratio = Annotated[float, BeforeValidator(parse_ratio), WithJsonSchema({"anyOf": _RATIO_SCHEMA})]
"""A float that accepts 8/255, 1e-3, 0.03 and 1."""

NonNegativeRatio = Annotated[Ratio, Field(ge=0)]
PositiveRatio = Annotated[Ratio, Field(gt=0)]
Share = Annotated[Ratio, Field(gt=0, le=1)]
"""A ratio in (0, 1]."""

StepSize = Annotated[
    float | Literal["auto"],
    BeforeValidator(_parse_step),
    WithJsonSchema({"anyOf": [{"const": "auto"}, *_RATIO_SCHEMA]}),
]
"""A fraction of eps above 0; `auto` is chosen for each learner on meta-val episodes."""

Count = Annotated[int, Field(strict=True, ge=1)]
CountFromZero = Annotated[int, Field(strict=True, ge=0)]
Severity = Annotated[int, Field(strict=True, ge=1, le=5)]
Flag = Annotated[bool, Field(strict=True)]

SafeName = Annotated[str, AfterValidator(check_name)]
Label = Annotated[str, AfterValidator(_check_label)]
Text = Annotated[str, Field(min_length=1)]
Device = Annotated[str, AfterValidator(_check_device)]

OneOrMore = BeforeValidator(_as_list)
"""Lets a field that holds a tuple accept a single value: `Annotated[tuple[X, ...], OneOrMore]`."""
