"""What makes two trainings, or two searches, the same: content, never places."""

from typing import Any

from metarobust.assembly.learner import LearnerSpec
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.config.tune import TuneConfig
from metarobust.core.digest import digest_json
from metarobust.data.base import Dataset

MEANS = ("name", "device", "checkpoint_every")
"""Configuration that decides where things are done and kept, but no number."""

Digests = tuple[str, str]
"""What is stored now, and what metarobust 0.1 stored, with the places of files in it."""


def same_training(config: TrainConfig, spec: LearnerSpec, dataset: Dataset) -> Digests:
    """The digests of a training; its specification was built, so that plug-ins are known."""
    code, facts = spec.code(), _without(plain(config), *MEANS)
    content = [_without(facts, "dataset", "learner"), spec.identity(), dataset.digest]
    former = [facts, dataset.digest, *([code] if code else [])]
    return digest_json(content), digest_json(former)


def same_search(config: TuneConfig, first: TrainConfig, dataset: Dataset) -> Digests:
    """The digests of a search, given its first trial; more trials extend one."""
    facts, training = _without(plain(config), "name", "trials"), plain(first)
    content = [_without(facts, "train", "set"), _without(training, "dataset"), dataset.digest]
    return digest_json(content), digest_json([facts, training])


def _without(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in names}
