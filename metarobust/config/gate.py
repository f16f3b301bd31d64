"""The grammar of a gate: one line that says what a number of an audit must reach."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, WithJsonSchema

from metarobust.config.fields import shown
from metarobust.config.mistakes import validate
from metarobust.config.yaml import read_yaml

Relation = Literal[">=", "<="]

FORM = "[LEARNER: ]SCORE[THREAT] >= LIMIT, or <="

_HEAD = re.compile(r"(?:(?P<learner>.*\S)\s*:\s+)?(?P<score>[A-Za-z_]\w*)", re.ASCII)
_LIMIT = re.compile(
    r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<percent>%?)", re.ASCII
)


class Gate(NamedTuple):
    """A gate, read.

    Attributes:
        text: as written.
        learner: label of the learner it is about; None is every learner.
        score: name of a score.
        threat: label of a cell, name of a recipe with any of the label's further words, or family.
        relation: `>=` or `<=`.
        limit: what the score must reach, or must not exceed.
        percent: whether the limit was written with a percent sign; `limit` is a share then.
    """

    text: str
    learner: str | None
    score: str
    threat: str
    relation: Relation
    limit: float
    percent: bool


def parse_gate(line: str) -> Gate:
    """Read one gate.

    >>> parse_gate("maml: accuracy[pgd-linf eps=8/255] >= 30 %")[1:]
    ('maml', 'accuracy', 'pgd-linf eps=8/255', '>=', 0.3, True)

    Raises:
        ValueError: it has another form; the part that is wrong is named.
    """
    text = line.strip()
    head, bracket, rest = text.rpartition("[")
    threat, closing, tail = rest.partition("]")
    if not bracket or not closing or not threat.strip():
        raise ValueError(f"expected {FORM}; got no [THREAT] in {shown(text)}")
    about = _HEAD.fullmatch(head.strip())
    if about is None:
        raise ValueError(
            f"expected the name of a score before [, after 'LEARNER: ' if one is meant; got "
            f"{shown(head)} in {shown(text)}"
        )
    relation, value = tail.strip()[:2], tail.strip()[2:].strip()
    if relation not in (">=", "<="):
        raise ValueError(f"expected >= or <= after ], got {shown(tail.strip())} in {shown(text)}")
    limit = _LIMIT.fullmatch(value)
    if limit is None:
        raise ValueError(
            f"expected a number such as 0.3 or 30 % after {relation}, got {shown(value)} in "
            f"{shown(text)}"
        )
    percent = bool(limit["percent"])
    number = float(limit["number"]) / (100 if percent else 1)
    side: Relation = ">=" if relation == ">=" else "<="
    label = " ".join(threat.split())
    return Gate(text, about["learner"], about["score"], label, side, number, percent)


def _as_line(value: Any) -> Any:
    """YAML reads an unquoted `maml: accuracy[clean] >= 0.9` as a mapping of one entry."""
    if isinstance(value, dict) and len(value) == 1:
        ((learner, rest),) = value.items()
        return f"{learner}: {rest}" if isinstance(rest, str) else value
    return value


def _check(line: str) -> str:
    return parse_gate(line).text


def _each_once(lines: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((line for line in lines if lines.count(line) > 1), None)
    if twice is not None:
        raise ValueError(f"expected each gate once, got {shown(twice)} twice")
    return lines


_Line = Annotated[
    str,
    BeforeValidator(_as_line),
    AfterValidator(_check),
    WithJsonSchema({"type": "string", "description": FORM}),
]
Gates = Annotated[tuple[_Line, ...], AfterValidator(_each_once)]
"""The gates of an audit, as a configuration holds them: one line each."""


class _Gated(BaseModel):
    gates: Gates = ()


def read_gates(path: Path) -> tuple[str, ...]:
    """The gates of a configuration file, whatever else it holds; none if there is no file.

    Raises:
        ConfigError: the file is not strict YAML, or a gate has another form.
    """
    if not path.is_file():
        return ()
    document = read_yaml(path)
    origins = {place: f"{document.source}, line {line}" for place, line in document.lines.items()}
    origins[()] = document.source
    data = {key: value for key, value in document.value.items() if key == "gates"}
    return validate(_Gated, data, origins).gates
