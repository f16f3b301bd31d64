"""JSON Schemas of the configuration files, and of a run's summary, for editors and other tools."""

from typing import Any

from metarobust.config.audit import AuditConfig
from metarobust.config.inheritance import EXTENDS
from metarobust.config.model import Model
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite
from metarobust.config.train import TrainConfig
from metarobust.config.tune import TuneConfig
from metarobust.core.bundled import bundled
from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.core.jsonio import read_json

MODELS: dict[str, type[Model]] = {
    "audit": AuditConfig,
    "train": TrainConfig,
    "tune": TuneConfig,
    "recipe": Recipe,
    "suite": Suite,
}
"""The model of each kind of file that a person writes."""

SUMMARY = "summary"
"""The `summary.json` that an audit writes."""

_PARENTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the files of one kind: those of `MODELS`, or `SUMMARY`.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind == SUMMARY:
        published: dict[str, Any] = read_json(bundled("reports") / "summary.schema.json")
        return published
    if kind not in MODELS:
        known = (*MODELS, SUMMARY)
        raise ConfigError(f"unknown kind of file '{kind}': {did_you_mean(kind, known)}")
    found = MODELS[kind].model_json_schema()
    found["properties"][EXTENDS] = _PARENTS
    complete = {"required": found.pop("required")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **found,
        "anyOf": [complete, {"required": [EXTENDS]}],
    }
