"""How long searching threats search: one word for the steps and restarts of all of them."""

import math
from collections.abc import Iterable
from typing import Literal

from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError

Effort = Literal["quick", "standard", "thorough"]

MULTIPLIERS: dict[Effort, float] = {"quick": 0.5, "standard": 1, "thorough": 2}
"""Of the steps, and of the restarts, that a recipe asks for; rounded up."""

_PREDICTABLE = ("torchattacks", "foolbox")
"""Libraries most of whose attacks cannot be restarted."""


def with_effort(recipes: Iterable[Recipe], effort: Effort) -> list[Recipe]:
    """The same threats, searched for a shorter or a longer time.

    Steps and restarts are multiplied. Fewer steps become longer, so that a search can still cross
    its ball; more steps keep their length. What takes one step, or searches nothing, stays as it
    is. Labels name steps and restarts, and so does the key of every cell.

    Raises:
        ConfigError: two threats become one.
    """
    scaled = [_scaled(recipe, MULTIPLIERS[effort]) for recipe in recipes]
    labels: set[str] = set()
    for recipe in scaled:
        if recipe.label in labels:
            raise ConfigError(
                f"effort {effort} leaves two threats called '{recipe.label}'; drop one, or give "
                "one a 'name'"
            )
        labels.add(recipe.label)
    return scaled


def _scaled(recipe: Recipe, factor: float) -> Recipe:
    fields = recipe.kind.fields(recipe.surface)
    if factor == 1 or recipe.steps == 1 or "steps" not in fields:
        return recipe
    steps = math.ceil(factor * recipe.steps)
    changes: dict[str, float] = {"steps": steps}
    if "step_size" in fields and recipe.step_size != "auto":
        changes["step_size"] = recipe.step_size * max(1.0, recipe.steps / steps)
    if "restarts" in fields and recipe.kind.name not in _PREDICTABLE:
        changes["restarts"] = math.ceil(factor * recipe.restarts)
    return recipe.model_copy(update=changes)
