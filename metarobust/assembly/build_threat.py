"""From a recipe to a live threat."""

import dataclasses
from typing import Any

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.certificates import Smoothing
from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.data_recipes import build_from_data
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.joint import JointAttack
from metarobust.assembly.library_threats import LibraryQueryAttack
from metarobust.assembly.options import build
from metarobust.assembly.plugins import find_engine
from metarobust.assembly.support_swap import SupportSwap
from metarobust.assembly.threat import Threat
from metarobust.assembly.transfer import TransferAttack
from metarobust.assembly.universal import UniversalAttack
from metarobust.attacks.base import Engine, Ensemble
from metarobust.attacks.external import LIBRARIES
from metarobust.attacks.search import members
from metarobust.config.fields import shown
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
    if family == "smoothing":
        return build(Smoothing, "engine smoothing", recipe.options)
    if family in LIBRARIES:
        return LibraryQueryAttack(LIBRARIES[family], name, _budget(recipe), dict(recipe.options))
    if family == "transfer":
        return _transfer(recipe, allowed_code)
    if family == "universal":
        return _universal(recipe, allowed_code)
    options = dict(recipe.options)
    expectation = _count(recipe, options, "eot", 1)
    swap = family == "swap"
    engine = _engine(recipe, "pgd" if swap else recipe.engine, options, allowed_code)
    if expectation > 1 and not any(
        one.differentiates for one, _ in members(engine, _budget(recipe))
    ):
        raise ConfigError(
            f"{recipe.name}: engine {recipe.engine} takes no gradient that 'eot' could average; "
            "remove it"
        )
    budget = _fitting_budget(recipe, engine)
    query = QueryAttack(engine, budget, expectation)
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
        expectation=expectation,
    )
    return support if recipe.surface == "support" else JointAttack(support, query)


def _transfer(recipe: Recipe, allowed_code: frozenset[str]) -> TransferAttack:
    options = dict(recipe.options)
    surrogate, name = options.pop("surrogate", None), str(options.pop("engine", "mim"))
    if not isinstance(surrogate, str):
        raise ConfigError(
            f"{recipe.name}: engine transfer needs options.surrogate, a name of the zoo or the "
            f"path of a checkpoint, got {shown(surrogate)}"
        )
    engine = _engine(recipe, name, options, allowed_code)
    attack = QueryAttack(engine, _fitting_budget(recipe, engine))
    checkpoint = load_checkpoint(surrogate, allowed_code=allowed_code)
    checkpoint.learner.requires_grad_(False)
    return TransferAttack(attack, checkpoint)


def _universal(recipe: Recipe, allowed_code: frozenset[str]) -> UniversalAttack:
    options = dict(recipe.options)
    episodes, name = _count(recipe, options, "episodes", 10), str(options.pop("engine", "pgd"))
    engine = _engine(recipe, name, options, allowed_code)
    if isinstance(engine, Ensemble) or getattr(engine, "seeks_radius", False):
        raise ConfigError(
            f"{recipe.name}: one perturbation is climbed by one engine within the budget, got "
            f"options.engine {name}; use pgd, mim or apgd"
        )
    return UniversalAttack(engine, _fitting_budget(recipe, engine), episodes)


def _engine(
    recipe: Recipe, name: str, options: dict[str, Any], allowed_code: frozenset[str]
) -> Engine | Ensemble:
    factory = find_engine(name, allowed_code)
    engine: Engine | Ensemble = build(factory, f"attack engine {name}", options)
    needed = ENSEMBLE_MEMBERS if hasattr(engine, "members") else ENGINE_MEMBERS
    if lacking := [member for member in needed if not hasattr(engine, member)]:
        raise ConfigError(
            f"{recipe.name}: {name} is no attack engine, it lacks {', '.join(lacking)}; "
            "see attacks/examples/random_sign.py"
        )
    return engine


def _fitting_budget(recipe: Recipe, engine: Engine | Ensemble) -> Budget:
    """The recipe's budget with the losses that its engine climbs."""
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
    return budget


def _count(recipe: Recipe, options: dict[str, Any], name: str, default: int) -> int:
    """Takes a number of at least 1 out of the options."""
    value = options.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"{recipe.name}: options.{name}: expected a whole number of at least 1, got "
            f"{shown(value)}"
        )
    return value


def _budget(recipe: Recipe) -> Budget:
    if recipe.norm is None:
        raise ConfigError(f"{recipe.name}: engine {recipe.engine} needs a norm: linf, l2 or l1")
    return Budget(
        norm=recipe.norm,
        eps=float(_need(recipe, "eps")),
        steps=recipe.steps,
        restarts=recipe.restarts,
        # A plan replaces auto before anything is scored.
        step_size=0.25 if recipe.step_size == "auto" else recipe.step_size,
        losses=tuple(recipe.loss),
        targets=recipe.targets,
    )


def _need(recipe: Recipe, field: str) -> float:
    value = getattr(recipe, field)
    if value is None:
        raise ConfigError(f"{recipe.name}: engine {recipe.engine} needs '{field}'")
    return float(value)
