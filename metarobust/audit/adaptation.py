"""Adaptation curves: which cells they add to an audit, and which of a run's cells are theirs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import kind_of
from metarobust.config.aspects import CurveAxis
from metarobust.config.audit import AuditConfig, LearnerEntry
from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError, did_you_mean

AXES: tuple[CurveAxis, ...] = get_args(CurveAxis)


@dataclass(frozen=True)
class CurvePoint:
    """One learner, met again with one number changed.

    Attributes:
        axis: what was changed.
        value: to what.
        config: the audit with that change: an audit of its own would have the very same cells.
        entry: the learner with that change.
    """

    axis: CurveAxis
    value: int
    config: AuditConfig
    entry: LearnerEntry

    @property
    def mark(self) -> dict[str, Any]:
        """What tells the point's cells from those of the audit itself, JSON-ready."""
        return {"axis": self.axis, "value": self.value}


def own_point(config: AuditConfig, learner: object) -> dict[str, int | None]:
    """Where the audit itself lies on each axis that it has a curve of; None for no such axis."""
    places: dict[CurveAxis, int | None] = {
        "inner_steps": getattr(learner, "inner_steps", None),
        "shots": config.protocol.shots,
    }
    return {axis: places[axis] for axis in AXES if config.curves.values(axis)}


def curve_points(
    config: AuditConfig, entry: LearnerEntry, own: dict[str, int | None]
) -> Iterator[CurvePoint]:
    """The points of a learner's curves, but for the one where the audit itself lies.

    Raises:
        ConfigError: shots are asked for under disjoint sampling, whose episodes depend on them.
    """
    if config.curves.shots and config.protocol.replacement == "disjoint":
        raise ConfigError(
            "curves.shots: under disjoint sampling other shots make other episodes, which cannot "
            "be paired; use --set protocol.replacement=classes, or leave the curve out"
        )
    for axis, place in own.items():
        for value in config.curves.inner_steps if axis == "inner_steps" else config.curves.shots:
            if place is None or value == place:
                continue
            if axis == "shots":
                protocol = config.protocol.model_copy(update={"shots": value})
                yield CurvePoint(
                    "shots", value, config.model_copy(update={"protocol": protocol}), entry
                )
            else:
                options = {**entry.options, "inner_steps": value}
                changed = entry.model_copy(update={"options": options})
                yield CurvePoint("inner_steps", value, config, changed)


def followed(config: AuditConfig, recipes: Sequence[Recipe | None]) -> list[Recipe | None]:
    """The threats of the curves, in the order of the audit, the clean cell (None) first.

    Args:
        config: names them, or leaves the choice: the attack of most steps on queries, and the one
            on the support set (the first of several).
        recipes: the audit's threats.

    Raises:
        ConfigError: a label is none of the audit's threats.
    """
    known = {recipe.label: recipe for recipe in recipes if recipe is not None}
    if config.curves.threats is None:
        attacks: dict[str, list[Recipe]] = {"query": [], "support": []}
        for recipe in known.values():
            kind = kind_of({"family": recipe.family, "surface": recipe.surface})
            attacks.get(kind, []).append(recipe)
        longest = [max(some, key=lambda recipe: recipe.steps) for some in attacks.values() if some]
        wanted = {recipe.label for recipe in longest}
    else:
        wanted = set(config.curves.threats) - {"clean"}
    for label in sorted(wanted - set(known)):
        raise ConfigError(
            f"curves.threats: the audit has no threat '{label}'; "
            f"{did_you_mean(label, ['clean', *known])}"
        )
    return [None, *(recipe for label, recipe in known.items() if label in wanted)]


def by_point(cells: Sequence[CellEvidence]) -> list[list[CellEvidence]]:
    """The cells of the audit itself, first, and those of each point of its adaptation curves."""
    groups: dict[tuple[Any, ...], list[CellEvidence]] = {(): []}
    for cell in cells:
        mark = cell.description.get("adaptation", {})
        groups.setdefault(tuple(mark.values()), []).append(cell)
    return list(groups.values())
