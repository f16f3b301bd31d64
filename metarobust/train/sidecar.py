"""What a checkpoint's sidecar says of its training."""

from collections.abc import Mapping
from typing import Any

from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.data.base import Dataset


def training_facts(config: TrainConfig, dataset: Dataset, row: Mapping[str, Any]) -> dict[str, Any]:
    """The threat met in training, the data, and the meta-val numbers that chose the weights."""
    protocol, check = config.validation_protocol, config.validation.attack
    return {
        "training": {
            "threat": config.objective.threat,
            "objective": config.objective.name,
            "config": plain(config),
        },
        "dataset": {"name": dataset.name, "digest": dataset.digest},
        "validation": {
            "protocol": {
                "ways": protocol.ways,
                "shots": protocol.shots,
                "queries": protocol.queries,
                "split": protocol.split,
            },
            "episodes": config.validation.episodes,
            "attack": None if check is None else f"{check.recipe(check.surface).label}",
            **row,
        },
    }
