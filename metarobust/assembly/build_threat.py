"""From a recipe to a live threat."""

import dataclasses

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack, TorchattacksQueryAttack
from metarobust.assembly.data_recipes import build_from_data
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.joint import JointAttack
from metarobust.assembly.options import build
from metarobust.assembly.plugins import load_plugin
from metarobust.assembly.support_swap import SupportSwap
from metarobust.assembly.threat import Threat
from metarobust.attacks.base import Engine, Ensemble
from metarobust.attacks.catalogue import ENGINES
from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError
from metarobust.threats.budget import Budget

ENGINE_MEMBERS = (
    "version",
    "norms",
    "adversarial",
    "differentiates",
    "gradient_calls",
    "draw",
    "maximise",
)
"""What every `Engine` has, and a plug-in may have forgotten."""

ENSEMBLE_MEMBERS = ("version", "norms", "adversarial", "cascade", "members")


def build_threat(recipe: Recipe | None, *, allowed_code: frozenset[str] = frozenset()) -> Threat:
    """The threat a recipe describes; None is the clean cell.

    Args:
        recipe: validated already, so that norm, eps and fractions are in range.
        allowed_code: plug-in files the user has named on the command line.

    Raises:
        ConfigError: the engine is unknown, lacks the norm, the loss or the surface, or refuses an
            option; a plug-in was not allowed, or is no engine.
    """
    if recipe is None:
        return Clean()
    if (threat := build_from_data(recipe)) is not None:
        return threat
    family, _, name = recipe.engine.partition(":")
    if family == "torchattacks":
        return TorchattacksQueryAttack(name, _budget(recipe), dict(recipe.options))
    swap = family == "swap"
    registered = "pgd" if swap else family
    factory = load_plugin(recipe.engine, allowed_code) if name else ENGINES[registered]
    engine: Engine | Ensemble = build(factory, f"attack engine {recipe.engine}", recipe.options)
    needed = ENSEMBLE_MEMBERS if hasattr(engine, "members") else ENGINE_MEMBERS
    if lacking := [member for member in needed if not hasattr(engine, member)]:
        raise ConfigError(
            f"{recipe.name}: {recipe.engine} is no attack engine, it lacks {', '.join(lacking)}; "
            "see attacks/examples/random_sign.py"
        )
    budget = _budget(recipe)
    if budget.norm not in engine.norms:
        raise ConfigError(
            f"{recipe.name}: engine {recipe.engine} bounds {' or '.join(engine.norms)}, "
            f"got norm {budget.norm}"
        )
    climbs = getattr(engine, "losses", budget.losses)
    if not engine.adversarial or "loss" not in recipe.kind.fields(recipe.surface):
        # Without a search there is nothing for a second loss to find.
        budget = dataclasses.replace(budget, losses=climbs[:1])
    if wrong := [loss for loss in budget.losses if loss not in climbs]:
        raise ConfigError(
            f"{recipe.name}: engine {recipe.engine} climbs {' or '.join(climbs)}, got loss "
            f"{' and '.join(wrong)}; set 'loss'"
        )
    query = QueryAttack(engine, budget)
    if swap:
        return SupportSwap(query, recipe.shot_fraction, recipe.class_fraction)
    if recipe.surface == "query":
        return query
    support = SupportAttack(
        engine,
        budget,
        shot_fraction=recipe.shot_fraction,
        class_fraction=recipe.class_fraction,
        first_order=recipe.first_order,
    )
    return support if recipe.surface == "support" else JointAttack(support, query)


def _budget(recipe: Recipe) -> Budget:
    if recipe.norm is None:
        raise ConfigError(f"{recipe.name}: engine {recipe.engine} needs a norm: linf, l2 or l1")
    return Budget(
        norm=recipe.norm,
        eps=float(_need(recipe, "eps")),
        steps=recipe.steps,
        restarts=recipe.restarts,
        step_size=recipe.step_size,
        losses=tuple(recipe.loss),
        targets=recipe.targets,
    )


def _need(recipe: Recipe, field: str) -> float:
    value = getattr(recipe, field)
    if value is None:
        raise ConfigError(f"{recipe.name}: engine {recipe.engine} needs '{field}'")
    return float(value)
