"""`extends:`: a configuration that is another one, or several, with changes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metarobust.config.fields import shown
from metarobust.config.yaml import Document, Place, read_yaml
from metarobust.core.errors import ConfigError

EXTENDS = "extends"
MAX_DEPTH, MAX_PARENTS = 5, 5

Finder = Callable[[str], Path]


class Resolved(NamedTuple):
    """A configuration whose parents have been put in.

    Attributes:
        value: the mapping, without its `extends`.
        origins: where each value was written, such as `quick.yaml, line 3`.
    """

    value: dict[str, Any]
    origins: dict[Place, str]


def resolve(document: Document, find: Finder, above: tuple[str, ...] = ()) -> Resolved:
    """A document on top of what it extends.

    Parents are merged from left to right, and the document's own keys come last. Two mappings are
    merged key by key; anything else replaces what was there, and `null` takes it back.

    Args:
        document: its `extends` is a bundled name or a path, or a list of these; a path that ends in
            .yaml or .yml is relative to the document's folder.
        find: the file that a bundled name or a path stands for.
        above: the files that led here.

    Raises:
        ConfigError: a parent is missing or wrong, extends itself, or is nested too deeply.
    """
    chain = (*above, document.source)
    whole = Resolved({}, {(): document.source})
    for parent in _parents(document):
        path = _located(parent, document, find)
        if str(path) in chain or len(chain) > MAX_DEPTH:
            why = "extends itself" if str(path) in chain else f"more than {MAX_DEPTH} levels deep"
            way = " > ".join((*chain, str(path)))
            raise ConfigError(f"{_line(document)}: {EXTENDS}: {why}: {way}")
        whole = _merged(whole, resolve(read_yaml(path), find, chain))
    own = {key: value for key, value in document.value.items() if key != EXTENDS}
    lines = document.lines.items()
    origins = {place: f"{document.source}, line {line}" for place, line in lines}
    return _merged(whole, Resolved(own, {**origins, (): document.source}))


def _parents(document: Document) -> list[str]:
    found = document.value.get(EXTENDS, [])
    parents = [found] if isinstance(found, str) else found
    words = isinstance(parents, list) and all(isinstance(name, str) for name in parents)
    if not words or len(parents) > MAX_PARENTS:
        raise ConfigError(
            f"{_line(document)}: {EXTENDS}: expected a name or a file, or a list of at most "
            f"{MAX_PARENTS} of these, got {shown(found)}"
        )
    return parents


def _located(parent: str, document: Document, find: Finder) -> Path:
    relative = parent.endswith((".yaml", ".yml"))
    try:
        return find(str(Path(document.source).parent / parent) if relative else parent)
    except ConfigError as problem:
        raise ConfigError(f"{_line(document)}: {EXTENDS}: {problem}") from None


def _line(document: Document) -> str:
    return f"{document.source}, line {document.lines.get((EXTENDS,), 1)}"


def _merged(below: Resolved, above: Resolved) -> Resolved:
    replaced = list(_replaced(below.value, above.value, ()))
    kept = {
        place: origin
        for place, origin in below.origins.items()
        if not any(place[: len(start)] == start for start in replaced)
    }
    return Resolved(_laid_over(below.value, above.value), {**kept, **above.origins})


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


def _replaced(below: Mapping[str, Any], above: Mapping[str, Any], place: Place) -> list[Place]:
    """The places of the lower mapping that the upper one replaces as a whole."""
    found: list[Place] = []
    for key in below.keys() & above.keys():
        here = (*place, key)
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            found += _replaced(below[key], above[key], here)
        else:
            found.append(here)
    return found
