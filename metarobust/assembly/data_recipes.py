"""From recipes to threats that bound no norm: corruptions, labels, replaced images, backdoors."""

from collections.abc import Callable, Mapping
from typing import Any

from metarobust.assembly.backdoor import Backdoor, Labels
from metarobust.assembly.data_threats import Confusion, Corrupted, LabelNoise, Surface
from metarobust.assembly.options import build
from metarobust.assembly.support_outlier import OutlierSupport
from metarobust.assembly.support_search import Goal, NaturalSupport, WorstLabels
from metarobust.assembly.threat import Threat
from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError
from metarobust.corruptions import CORRUPTIONS
from metarobust.threats.trigger import Corner, Pattern, Trigger


def build_from_data(recipe: Recipe) -> Threat | None:
    """The threat of a recipe whose engine is one of `MAKERS`; None if it is another.

    Raises:
        ConfigError: a field is missing, or an option is unknown or refused.
    """
    name = recipe.kind.name
    if name not in MAKERS:
        return None
    factory, fields = MAKERS[name]
    given = {field: getattr(recipe, field) for field in fields}
    if lacking := [field for field, value in given.items() if value is None]:
        raise ConfigError(f"{recipe.name}: engine {recipe.engine} needs '{lacking[0]}'")
    first = tuple(given.values())
    if name == "corruption":
        first = (CORRUPTIONS[recipe.engine.partition(":")[2]].name, *first)
    threat: Threat = build(factory, f"engine {recipe.engine}", recipe.options, *first)
    return threat


def _label_noise(fraction: float, *, confusion: Confusion = "symmetric") -> Threat:
    return LabelNoise(fraction, confusion)


def _worst_labels(fraction: float, /) -> Threat:
    return WorstLabels(fraction)


def _corruption(
    name: str, severity: int, surface: Surface, *, query_corruption: str | None = None
) -> Threat:
    return Corrupted(name, severity, surface, query_corruption)


def _outlier(
    fraction: float,
    *,
    dataset: str | None = None,
    dataset_options: Mapping[str, Any] | None = None,
) -> Threat:
    return OutlierSupport(fraction, dataset, dataset_options)


def _natural(rounds: int, *, candidates: int = 4, goal: Goal = "worst") -> Threat:
    if candidates < 1:
        raise ConfigError(f"natural: expected candidates of 1 or more, got {candidates}")
    return NaturalSupport(rounds, candidates, goal)


def _backdoor(
    fraction: float,
    *,
    labels: Labels = "dirty",
    target: int | None = None,
    size: int = 4,
    position: Corner = "bottom-right",
    pattern: Pattern = "checkerboard",
    value: float = 1.0,
) -> Threat:
    return Backdoor(fraction, Trigger(size, position, pattern, value), labels, target)


MAKERS: dict[str, tuple[Callable[..., Threat], tuple[str, ...]]] = {
    "label-noise": (_label_noise, ("fraction",)),
    "worst-labels": (_worst_labels, ("fraction",)),
    "corruption": (_corruption, ("severity", "surface")),
    "outlier": (_outlier, ("fraction",)),
    "natural": (_natural, ("steps",)),
    "backdoor": (_backdoor, ("fraction",)),
}
"""How each kind of engine becomes a threat, and the recipe's fields that it takes in order."""
