"""JSON Schemas of the configuration files, for editors and other tools."""

from typing import Any

from metarobust.config.audit import AuditConfig
from metarobust.config.model import Model
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite
from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError, did_you_mean

MODELS: dict[str, type[Model]] = {
    "audit": AuditConfig,
    "train": TrainConfig,
    "recipe": Recipe,
    "suite": Suite,
}
"""The model of each kind of file."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what a person may write in a file of this kind.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in MODELS:
        raise ConfigError(f"unknown kind of file '{kind}': {did_you_mean(kind, MODELS)}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **MODELS[kind].model_json_schema(),
    }
