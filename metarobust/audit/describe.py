"""The facts that every cell carries about its learner, its threat and its data, JSON-ready."""

from collections.abc import Sequence
from typing import Any

from metarobust.assembly.checkpoint import Checkpoint
from metarobust.config.audit import LearnerEntry
from metarobust.config.engine_name import BUDGET_FIELDS
from metarobust.config.recipe import Recipe
from metarobust.core.digest import digest_json
from metarobust.core.errors import ConfigError
from metarobust.corruptions import CORRUPTIONS, table_of
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler


def learner_facts(label: str, entry: LearnerEntry, checkpoint: Checkpoint) -> dict[str, Any]:
    """What a run says of a learner that needs no data: where it is from and how it was trained."""
    learner = checkpoint.learner
    training = checkpoint.facts.get("training", {})
    return {
        "label": label,
        "name": checkpoint.spec.name,
        "family": learner.family,
        "backbone": checkpoint.spec.backbone,
        "norm_mode": learner.norm_mode,
        "checkpoint": entry.checkpoint,
        "weights": checkpoint.weights,
        "options": {**checkpoint.spec.options, **checkpoint.spec.backbone_options},
        "training": training.get("threat", "unknown"),
        "objective": training.get("objective"),
        "training_seed": checkpoint.facts.get("seed"),
        "method": _method(training.get("config")),
        "trained_on": checkpoint.facts.get("dataset", {}).get("name", "unknown"),
        "differentiable": learner.differentiable,
        "stochastic": learner.stochastic,
    }


def _method(training: dict[str, Any] | None) -> str | None:
    """The digest that checkpoints share which differ only in their training seed."""
    if not training:
        return None
    means = ("name", "seed", "device", "checkpoint_every")
    return digest_json({key: value for key, value in training.items() if key not in means})


def threat_facts(recipe: Recipe | None, dataset: Dataset) -> dict[str, Any]:
    """What a run says of a threat; None is the clean cell.

    Raises:
        ConfigError: a corruption that is not defined for the channels of the data.
    """
    if recipe is None:
        words = {"summary": "No threat.", "citation": "", "notes": "", "knowledge": "none"}
        clean = {"name": "clean", "label": "clean", "engine": "none", "family": "clean"}
        budget = dict.fromkeys(BUDGET_FIELDS)
        return {**budget, **words, **clean, "surface": None, "options": {}, "table": None}
    table = None
    if recipe.family == "corruption":
        name = recipe.engine.partition(":")[2]
        channels, height, width = dataset.input_shape
        if channels not in CORRUPTIONS[name].channels:
            wanted = " or ".join(map(str, CORRUPTIONS[name].channels))
            raise ConfigError(
                f"{recipe.name}: needs images of {wanted} channels, {dataset.name} has {channels}; "
                "leave it out"
            )
        table = table_of(name, height=height, width=width, channels=channels)
    return {**recipe.facts(), "table": table}


def dataset_facts(dataset: Dataset, sampler: EpisodeSampler) -> dict[str, Any]:
    """What a run says of its data, with the classes of the first episode, which is pictured."""
    classes: Sequence[int] = sampler[0].class_ids.tolist()
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "task": dataset.task,
        "info": dataset.info,
        "input_shape": list(dataset.input_shape),
        "classes": {part: len(ids) for part, ids in dataset.splits.items()},
        "picture_classes": [dataset.class_names[c] for c in classes],
        "groups": dataset.groups_of(sampler.protocol.split),
    }
