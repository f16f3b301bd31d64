"""Registries: one name, one thing, and a helpful answer when the name is wrong."""

import inspect
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from metarobust.core.errors import ConfigError, did_you_mean

T = TypeVar("T")
Entry = TypeVar("Entry")


class Registry(Generic[T]):
    """Things of one kind, by name.

    >>> animals: Registry[type] = Registry("animal")
    >>> @animals.register("cat")
    ... class Cat: ...
    >>> animals["cat"] is Cat
    True
    >>> animals["cta"]
    Traceback (most recent call last):
    ...
    metarobust.core.errors.ConfigError: unknown animal 'cta': did you mean 'cat'?
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """A decorator that files its object under `name` and returns it unchanged.

        Raises:
            ConfigError: the name is taken; both sides are named.
        """

        def keep(entry: Entry) -> Entry:
            if name in self._entries and self._entries[name] is not entry:
                raise ConfigError(
                    f"two {self.kind}s are called '{name}': {origin(self._entries[name])} "
                    f"and {origin(entry)}; rename one"
                )
            self._entries[name] = entry  # type: ignore[assignment]
            return entry

        return keep

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            hint = did_you_mean(name, self._entries)
            raise ConfigError(f"unknown {self.kind} '{name}': {hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def origin(entry: object) -> str:
    """Where an entry was written, as `file:line`, or its repr where Python cannot say."""
    try:
        return f"{inspect.getsourcefile(entry)}:{inspect.getsourcelines(entry)[1]}"  # type: ignore[arg-type]
    except (TypeError, OSError):
        return repr(entry)
