"""From the threats an audit lists to the recipes it runs."""

from collections.abc import Callable, Iterator, Sequence

from metarobust.config.catalogue import find_suite, load_recipe
from metarobust.config.mistakes import validate
from metarobust.config.model import plain
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite, ThreatEntry
from metarobust.core.errors import ConfigError


def expand_threats(
    entries: Sequence[ThreatEntry],
    load_recipe: Callable[[str], Recipe] = load_recipe,
    find_suite: Callable[[str], Suite | None] = find_suite,
) -> list[Recipe]:
    """The recipes that a list of threats stands for.

    Entries keep their order; an entry's grid comes in the order of `ThreatEntry.grid`.

    Args:
        entries: suites, recipes, and recipes with changes.
        load_recipe: the recipe of a name or path.
        find_suite: the suite of a name, or None where there is none.

    Returns:
        Recipes with pairwise different labels.

    Raises:
        ConfigError: a name is unknown, a suite has changes or holds a suite, a change does not fit
            its recipe, or two threats have one label. All such mistakes are listed.
    """
    mistakes: list[str] = []
    found: dict[str, str] = {}
    recipes: list[Recipe] = []
    for where, entry in _recipe_entries(entries, find_suite, mistakes):
        try:
            changed = _changed_recipes(where, entry, load_recipe)
        except ConfigError as problem:
            mistakes.append(f"{where}: {problem}")
            continue
        for recipe in changed:
            if recipe.label in found:
                mistakes.append(
                    f"{where}: '{recipe.label}' is in {found[recipe.label]} already; drop one, or "
                    "give one a 'name'"
                )
            found.setdefault(recipe.label, where)
            recipes.append(recipe)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return recipes


def _recipe_entries(
    entries: Sequence[ThreatEntry],
    find_suite: Callable[[str], Suite | None],
    mistakes: list[str],
) -> Iterator[tuple[str, ThreatEntry]]:
    """The entries that name recipes, those of suites included, and where each stands."""
    for index, entry in enumerate(entries):
        suite = find_suite(entry.recipe)
        if suite is None:
            yield f"threats.{index}", entry
            continue
        if entry.changes:
            mistakes.append(
                f"threats.{index}: the suite '{suite.name}' cannot be changed, got "
                f"{', '.join(entry.changes)}; list its recipes instead"
            )
        for place, inner in enumerate(suite.threats):
            where = f"threats.{index} (suite {suite.name}, threats.{place})"
            if find_suite(inner.recipe) is None:
                yield where, inner
            else:
                mistakes.append(f"{where}: a suite cannot hold the suite '{inner.recipe}'")


def _changed_recipes(
    where: str, entry: ThreatEntry, load_recipe: Callable[[str], Recipe]
) -> list[Recipe]:
    recipe = load_recipe(entry.recipe)
    if entry.surface not in (None, recipe.surface) and recipe.family != "corruption":
        raise ConfigError(
            f"{recipe.name} is written for the {recipe.surface} surface; only corruptions can be "
            f"moved, got surface {entry.surface}; choose the recipe made for it"
        )
    changed = []
    for change in entry.grid():
        options = {**recipe.options, **change.get("options", {})}
        data = {**plain(recipe), **change, "options": options}
        changed.append(validate(Recipe, data, {(): recipe.name}))
    return changed
