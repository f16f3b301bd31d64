"""The step size of an attack, chosen for each learner on meta-val episodes."""

from typing import Any

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.threat import Threat
from metarobust.audit.carry_out import carry_out, rehearsal_episodes
from metarobust.config.recipe import Recipe
from metarobust.core.episode import Episode
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner

STEP_SIZES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""What is tried, as fractions of eps."""

SEARCHED = 4
"""Episodes that each is tried on."""


def settle(
    recipe: Recipe | None,
    threat: Threat,
    learner: Learner,
    dataset: Dataset,
    protocol: Protocol,
    seed: int,
    scale: float,
    allowed_code: frozenset[str],
) -> tuple[Recipe | None, dict[str, Any]]:
    """A recipe without `auto`, and what its cell records of the search; see `choose_step`.

    Raises:
        DataError: there are no classes to search on, or for the threat to learn from.
    """
    searched = recipe is not None and recipe.step_size == "auto"
    if not searched and not threat.rehearsals:
        return recipe, {}
    episodes = rehearsal_episodes(dataset, protocol, seed, SEARCHED)
    if recipe is None or not searched:
        return recipe, {}
    frozen = learner.requires_grad_(False)
    chosen, tried = choose_step(recipe, frozen, episodes, seed, scale, allowed_code)
    return chosen, {"search": tried}


def choose_step(
    recipe: Recipe,
    learner: Learner,
    episodes: list[Episode],
    seed: int,
    scale: float,
    allowed_code: frozenset[str],
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with the step size that leaves a learner the least accuracy.

    Among equals the larger mean loss counts, then the smaller step.

    Args:
        recipe: its `step_size` is `auto`.
        learner: the one it will be run on; left unchanged.
        episodes: of classes that are never scored.
        seed: root of every draw.
        scale: the learner's logit scale.
        allowed_code: plug-in files the user has named on the command line.

    Returns:
        The recipe, and what was tried, JSON-ready.
    """
    tried: list[dict[str, float]] = []
    for size in STEP_SIZES:
        candidate = recipe.model_copy(update={"step_size": size})
        threat = build_threat(candidate, allowed_code=allowed_code)
        found = carry_out(threat, learner, episodes, seed, scale)
        hits = [
            logits.argmax(1) == episode.query_y
            for logits, episode in zip(found.logits, episodes, strict=True)
        ]
        accuracy = sum(float(hit.float().mean()) for hit in hits) / len(hits)
        loss = float(found.objective_end.mean())
        tried.append({"step_size": size, "accuracy": accuracy, "loss": loss})
    best = min(tried, key=lambda one: (one["accuracy"], -one["loss"]))
    chosen = recipe.model_copy(update={"step_size": best["step_size"]})
    return chosen, {"episodes": len(episodes), "tried": tried}
