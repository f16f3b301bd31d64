"""What makes two cells the same: the content of their parts, never places or words."""

from typing import Any

from metarobust.assembly.checkpoint import Checkpoint, find_checkpoint
from metarobust.assembly.plugins import engine_digest
from metarobust.assembly.threat import Threat
from metarobust.config.aspects import AspectsConfig
from metarobust.config.audit import AuditConfig
from metarobust.config.model import plain
from metarobust.config.recipe import Recipe
from metarobust.core.bundled import bundled
from metarobust.core.digest import digest_json
from metarobust.data.base import Dataset

KEY_SCHEMA = 2

MEANS = ("name", "episodes", "device", "workers", "gates", "effort")
"""Configuration that decides how much is computed, where, and how it is judged, but no number.

What effort decides is in the steps and restarts of every cell.
"""

PLACES = ("root", "file", "cache")
"""Options of data sets that say where files lie; what is in them is in the digest."""


def asked(config: AuditConfig) -> dict[str, Any]:
    """What a configuration asks for; nothing is said of extras that it does not ask for."""
    extras = ("aspects", "curves")
    idle = {name for name in extras if getattr(config, name) == type(getattr(config, name))()}
    return {k: v for k, v in plain(config).items() if k not in idle.union(MEANS)}


def cell_key(
    config: AuditConfig,
    checkpoint: Checkpoint,
    scale: float,
    recipe: Recipe | None,
    threat: Threat,
    dataset: Dataset,
) -> str:
    """The digest of everything that decides the numbers of a cell."""
    beyond = {"aspects": plain(config.aspects)} if config.aspects != AspectsConfig() else {}
    return digest_json(
        {
            **beyond,
            "schema": KEY_SCHEMA,
            "learner": {"spec": checkpoint.spec.identity(), "weights": checkpoint.weights},
            "scale": scale,
            "dataset": dataset.digest,
            "protocol": config.protocol.model_dump(),
            "seed": config.seed,
            "threat": None if recipe is None else _identity(recipe),
            "versions": threat.versions(),
        }
    )


def engine_code(recipe: Recipe) -> dict[str, str]:
    """The digest of the code of each engine in a recipe that is a plug-in, by what it is called."""
    names = (recipe.engine, recipe.options.get("engine"))
    digests = {name: engine_digest(name) for name in names if isinstance(name, str)}
    return {name: digest for name, digest in digests.items() if digest}


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides numbers: no words, and content instead of its place.

    The contents of a surrogate and of another data set are among the versions of their threats.
    """
    words = {"name", "summary", "citation", "notes", "knowledge"}
    facts = recipe.model_dump(mode="json", exclude=words)
    options, code = facts["options"], engine_code(recipe)
    for place in (facts, options):
        if isinstance(name := place.get("engine"), str) and name in code:
            place["engine"] = [code[name], name.rpartition(":")[2]]
    if recipe.engine == "transfer":
        options["surrogate"] = _zoo_name(options["surrogate"])
    if isinstance(elsewhere := options.get("dataset_options"), dict):
        options["dataset_options"] = {k: v for k, v in elsewhere.items() if k not in PLACES}
    return facts


def _zoo_name(checkpoint: str) -> str | None:
    """The name of a checkpoint of the zoo; None of a file."""
    path = find_checkpoint(checkpoint)
    return path.stem if path.parent.resolve() == (bundled("configs") / "zoo").resolve() else None
