"""The threats an audit can name: recipes and suites, bundled or the user's own."""

from pathlib import Path

from metarobust.config.loading import bundled_folder, bundled_names, find_file, load_config
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite
from metarobust.core.errors import ConfigError, did_you_mean


def load_recipe(source: str) -> Recipe:
    """The recipe of a bundled name, or of a file.

    A plug-in engine `FILE.py:CLASS` is looked for beside the recipe first.

    Raises:
        ConfigError: there is no such threat, or its file is wrong.
    """
    if not _is_path(source) and source not in bundled_names("recipe"):
        known = [*bundled_names("recipe"), *bundled_names("suite")]
        raise ConfigError(f"unknown threat '{source}': {did_you_mean(source, known)}")
    path = find_file(source, "recipe")
    recipe = load_config(Recipe, path, "recipe")
    _check_stem(path, recipe.name)
    file, _, name = recipe.engine.rpartition(":")
    beside = path.parent / file
    if recipe.kind.name == "plugin" and beside.is_file():
        return recipe.model_copy(update={"engine": f"{beside}:{name}"})
    return recipe


def find_suite(source: str) -> Suite | None:
    """The bundled suite of that name, or None where there is none.

    Raises:
        ConfigError: its file is wrong.
    """
    if _is_path(source) or source not in bundled_names("suite"):
        return None
    path = bundled_folder("suite") / f"{source}.yaml"
    suite = load_config(Suite, path, "suite")
    _check_stem(path, suite.name)
    return suite


def _is_path(source: str) -> bool:
    return source.endswith((".yaml", ".yml"))


def _check_stem(path: Path, name: str) -> None:
    if path.stem != name:
        raise ConfigError(f"{path}: name: expected '{path.stem}', as the file, got '{name}'")
