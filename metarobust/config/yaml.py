"""Strict YAML: what it says is what a person reads, and what it cannot mean is refused.

PyYAML reads `1e-3` as text, `no` as false, `010` as 8, `12:30:45` as 45045, and keeps the last of
two equal keys. Here numbers are decimal, only `true` and `false` are booleans, and duplicate keys,
tags, anchors, aliases, deep nesting and large files are errors that name the file and the line.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from metarobust.config.fields import shown
from metarobust.core.errors import ConfigError

MAX_BYTES = 200_000
MAX_DEPTH = 20
_MAX_DIGITS = 40

_NULL = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?", re.ASCII)

Place = tuple[str | int, ...]
"""Where a value stands in a document: keys and list indices."""


@dataclass(frozen=True)
class Document:
    """A YAML document.

    Attributes:
        source: its file, as errors name it.
        value: dicts with text keys, lists, text, int, float, bool and None.
        lines: the line of every key and list entry, from 1; the whole document is `()`.
    """

    source: str
    value: Any
    lines: Mapping[Place, int]


def read_yaml(path: Path) -> Document:
    """Read a configuration file: a mapping at the top.

    Raises:
        ConfigError: it cannot be read, is empty, too large, not UTF-8, or not strict YAML.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read ({problem.strerror})") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES:,} bytes; not a configuration of ours")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: expected UTF-8 text") from None
    document = parse_yaml(text, str(path))
    if not isinstance(document.value, dict):
        found = "a list" if isinstance(document.value, list) else shown(document.value)
        raise ConfigError(
            f"{path}, line {document.lines[()]}: expected a mapping (KEY: VALUE lines) at the "
            f"top, got {found}"
        )
    return document


def parse_yaml(text: str, source: str) -> Document:
    """Parse one YAML document.

    >>> parse_yaml("a: [1e-3, 010, no, 12:30:45]", "example").value
    {'a': [0.001, 10, 'no', '12:30:45']}

    Raises:
        ConfigError: the text is empty or not strict YAML.
    """
    reader = _Reader(source, yaml.parse(text, Loader=yaml.SafeLoader))
    try:
        value = reader.document()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{source}{line}: not YAML: {problem.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as problem:
        # ValueError, OverflowError: PyYAML's scanner on an escape beyond the last code point.
        reason = str(problem).partition("\n")[0]
        raise ConfigError(f"{source}: not YAML: {reason}") from None
    return Document(source, value, reader.lines)


def dump_yaml(value: Any) -> str:
    """YAML text that `parse_yaml` reads back as the same value, and YAML 1.1 readers as well."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML folds U+0085 and its like, unescaped, into a space; double quotes escape them.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)
# Text such as 1e-3 is quoted, although YAML 1.1 would not need it.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(f"^(?:{_FLOAT.pattern}|{_INTEGER.pattern})$", re.ASCII),
    None,
)


@dataclass
class _Reader:
    """Builds values straight from the parser's events, which come without recursion."""

    source: str
    events: Iterator[Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def document(self) -> Any:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise ConfigError(f"{self.source}: empty; expected KEY: VALUE lines")
        value = self.node(next(self.events), ())
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error(after, "expected one document, got another ('---')")
        return value

    def node(self, event: Any, path: Place) -> Any:
        self.refuse_references(event)
        if len(path) >= MAX_DEPTH:
            raise self.error(event, f"nested too deeply (more than {MAX_DEPTH} levels)")
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            entries = self.until(yaml.SequenceEndEvent)
            return [self.node(entry, (*path, index)) for index, entry in enumerate(entries)]
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        return self.scalar(event) if event.implicit[0] else event.value

    def mapping(self, path: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self.until(yaml.MappingEndEvent):
            self.refuse_references(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error(event, "expected a word as a key")
            key = event.value  # As written: `no: 1` has the key "no".
            at = (*path, key)
            if key in found:
                raise self.error(
                    event, f"duplicate key {shown(key)} (first on line {self.lines[at]})"
                )
            self.lines[at] = _line(event)
            found[key] = self.node(next(self.events), at)
        return found

    def refuse_references(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self.error(event, f"aliases are not allowed (*{event.anchor}); write it out")
        if event.anchor is not None:
            raise self.error(event, f"anchors are not allowed (&{event.anchor})")
        if event.tag is not None:
            raise self.error(event, f"YAML tags are not allowed ({shown(event.tag)})")

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        is_integer = _INTEGER.fullmatch(text)
        if not is_integer and not _FLOAT.fullmatch(text):
            return text
        if len(text) > _MAX_DIGITS:
            raise self.error(event, f"a number of {len(text)} digits; quote it if it is text")
        number = int(text) if is_integer else float(text)
        if math.isinf(number):
            raise self.error(event, f"{text} is beyond the largest float")
        return number

    def until(self, end: type[yaml.Event]) -> Iterator[Any]:
        while not isinstance(event := next(self.events), end):
            yield event

    def error(self, event: Any, message: str) -> ConfigError:
        return ConfigError(f"{self.source}, line {_line(event)}: {message}")


def _line(event: Any) -> int:
    """The line an event begins on, from 1."""
    return int(event.start_mark.line) + 1
