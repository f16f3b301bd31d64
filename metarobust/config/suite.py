"""A list of threats under one name, and its expansion into recipes."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from metarobust.config.fields import (
    Count,
    Flag,
    NonNegativeRatio,
    OneOrMore,
    SafeName,
    Severity,
    Share,
    StepSize,
    Text,
)
from metarobust.config.model import Model
from metarobust.config.recipe import Losses, Surface, Targets

T = TypeVar("T")
Grid = Annotated[tuple[T, ...], OneOrMore, Field(min_length=1)]

GRID_FIELDS = ("eps", "severity", "fraction", "shot_fraction", "class_fraction", "steps")
"""The fields that may hold a list, which makes a grid; the first varies slowest."""


class ThreatEntry(Model):
    """A suite, a recipe, or a recipe with changes. A bare word is the name of one.

    A list in any of `GRID_FIELDS` stands for one threat per value; several lists, for one per
    combination. The other fields replace the recipe's; `options` are merged into its options.

    Attributes:
        recipe: name of a recipe or of a suite, or path of a recipe file.
        name: what to call the changed recipe, where its label alone would not tell it apart.
    """

    short_form: ClassVar[str | None] = "recipe"

    recipe: Text
    name: SafeName | None = None
    eps: Grid[NonNegativeRatio] | None = None
    severity: Grid[Severity] | None = None
    fraction: Grid[Share] | None = None
    shot_fraction: Grid[Share] | None = None
    class_fraction: Grid[Share] | None = None
    steps: Grid[Count] | None = None
    restarts: Count | None = None
    step_size: StepSize | None = None
    surface: Surface | None = None
    loss: Losses | None = None
    targets: Targets | None = None
    first_order: Flag | None = None
    options: dict[str, JsonValue] | None = None

    @model_serializer(mode="wrap")
    def _only_changes(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

    @property
    def changes(self) -> dict[str, Any]:
        """What is said beside the name, JSON-ready."""
        return {k: v for k, v in self.model_dump(mode="json").items() if k != "recipe"}

    def grid(self) -> Iterator[dict[str, Any]]:
        """The changed fields of each threat this entry stands for, in the order of `GRID_FIELDS`.

        >>> entry = ThreatEntry(recipe="pgd-linf", eps=(0.05, 0.1), steps=(1, 2))
        >>> [(point["eps"], point["steps"]) for point in entry.grid()]
        [(0.05, 1), (0.05, 2), (0.1, 1), (0.1, 2)]
        """
        changes = self.changes
        axes = [field for field in GRID_FIELDS if field in changes]
        for point in itertools.product(*(changes[field] for field in axes)):
            yield {**changes, **dict(zip(axes, point, strict=True))}


class Suite(Model):
    """A named list of threats.

    Attributes:
        name: as written in audits; the name of its file.
        summary: what it is for and what it costs.
        threats: recipes, with or without changes; a suite does not hold suites.
    """

    name: SafeName
    summary: Text
    threats: Annotated[tuple[ThreatEntry, ...], Field(min_length=1)]
