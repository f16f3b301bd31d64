"""Computing one block of one cell: prepare episodes, carry the threat out, gather the evidence."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.checkpoint import weights_digest
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.dataset import load_dataset
from metarobust.assembly.threat import Outcome, Threat
from metarobust.attacks.convergence import Convergence
from metarobust.audit import probes
from metarobust.audit.aspects import aspect_arrays
from metarobust.audit.carry_out import backend_of, rehearsed
from metarobust.audit.carry_out import carry_out as carry_out
from metarobust.audit.payload import BlockEvidence, encode
from metarobust.audit.plan import open_learner
from metarobust.audit.regression_evidence import function_points, regression_arrays
from metarobust.audit.store import BlockRow
from metarobust.config.audit import AuditConfig, LearnerEntry
from metarobust.config.dataset import DatasetConfig
from metarobust.config.recipe import Recipe
from metarobust.core.device import as_array, resolve_device
from metarobust.core.engine import stack_episodes
from metarobust.core.episode import Episode
from metarobust.core.errors import AttackError, CheckpointError, DataError
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner

Array = npt.NDArray[Any]

BACKDOOR_FACTS = ("backdoor_target", "backdoor_prediction", "trigger_prediction")


@dataclass(frozen=True)
class BlockTask:
    """A block as plain data: what a worker needs to build everything by itself.

    Attributes:
        config: the audit's configuration, as JSON.
        learner: the learner's entry, as JSON.
        recipe: the threat's recipe, as JSON; None is the clean cell.
        allowed_code: plug-in files the user has named on the command line.
        scale: the learner's logit scale.
        weights: digest of the learner's tensors when the audit was planned.
        dataset: digest of the data set, likewise.
        cell: key of the cell.
        key: key of the block.
        start: number of its first episode.
        count: how many episodes.
    """

    config: str
    learner: str
    recipe: str | None
    allowed_code: frozenset[str]
    scale: float
    weights: str
    dataset: str
    cell: str
    key: str
    start: int
    count: int


def run_block(task: BlockTask) -> BlockRow:
    """Compute one block.

    Raises:
        AttackError: the learner was changed by the threat, or a third-party attack broke its
            contract.
        CheckpointError: the checkpoint is not the one that was planned with.
        DataError: nor the data set.
    """
    began = time.monotonic()
    config = AuditConfig.model_validate_json(task.config)
    device = resolve_device(config.device)
    learner = _planned_learner(task, str(device))
    recipe = None if task.recipe is None else Recipe.model_validate_json(task.recipe)
    sampler = _sampler(task.config)
    if sampler.dataset.digest != task.dataset:
        raise DataError(f"{sampler.dataset.name}: the files {_CHANGED}")
    threat = build_threat(recipe, allowed_code=task.allowed_code)
    threat = threat.with_data(sampler.dataset, sampler.protocol)
    if threat.rehearsals:
        threat = _rehearsed(
            task.config, task.learner, str(task.recipe), task.scale, str(device), task.allowed_code
        )
    episodes = [sampler[task.start + i] for i in range(task.count)]

    def carry(other: Threat) -> Outcome:
        return carry_out(other, learner, episodes[:1], config.seed, task.scale)

    was = probes.before(learner, carry) if task.start == 0 else None
    outcome = carry_out(threat, learner, episodes, config.seed, task.scale)
    beyond = aspect_arrays(config.aspects, recipe, threat, learner, sampler, episodes, outcome)
    picture: dict[str, Array] = {}
    extras: dict[str, float] = {}
    if was is not None and recipe is None:
        extras = probes.probe_learner(learner, episodes[0], carry, task.scale, config.seed)
    elif was is not None:
        same = outcome if backend_of(threat, learner) == "loop" else None
        extras = probes.probe_threat(
            was, learner, threat, carry, same, regression=episodes[0].regression
        )
        extras |= _zero_budget(threat, carry)
    if task.start == 0:
        picture = _picture(episodes[0], outcome, sampler.dataset)
    if weights_digest(learner) != task.weights:
        raise AttackError(
            f"{recipe.name if recipe else 'clean'}: the learner's weights or buffers changed while "
            "it was attacked; an audit must leave them as they are"
        )
    arrays = {**block_arrays(episodes, outcome, threat, learner), **beyond}
    evidence = BlockEvidence(arrays, picture, extras)
    seconds = time.monotonic() - began
    return BlockRow(task.key, task.cell, task.start, task.count, seconds, encode(evidence))


_CHANGED = "changed after the audit was planned; run the same command again"


def _planned_learner(task: BlockTask, device: str) -> Learner:
    learner = _learner(task.learner, device, task.allowed_code)
    if weights_digest(learner) != task.weights:
        # A threat that failed may have left its traces in the learner this process keeps.
        _learner.cache_clear()
        learner = _learner(task.learner, device, task.allowed_code)
    if weights_digest(learner) != task.weights:
        entry = LearnerEntry.model_validate_json(task.learner)
        raise CheckpointError(f"{entry.checkpoint}: the weights {_CHANGED}")
    return learner


@lru_cache(maxsize=8)
def _learner(entry: str, device: str, allowed_code: frozenset[str]) -> Learner:
    checkpoint = open_learner(LearnerEntry.model_validate_json(entry), allowed_code)
    learner = checkpoint.learner.to(device)
    return learner.requires_grad_(False)


@lru_cache(maxsize=8)
def _rehearsed(
    config: str,
    learner: str,
    recipe: str,
    scale: float,
    device: str,
    allowed_code: frozenset[str],
) -> Threat:
    """A threat that has learned, once a process for all blocks of its cell."""
    sampler = _sampler(config)
    threat = build_threat(Recipe.model_validate_json(recipe), allowed_code=allowed_code)
    seed, target = sampler.seed, _learner(learner, device, allowed_code)
    return rehearsed(threat, target, sampler.dataset, sampler.protocol, seed, scale)


@lru_cache(maxsize=16)
def _sampler(config: str) -> EpisodeSampler:
    audit = AuditConfig.model_validate_json(config)
    dataset = _dataset(audit.dataset.model_dump_json())
    return EpisodeSampler(dataset, Protocol(**audit.protocol.model_dump()), audit.seed)


@lru_cache(maxsize=2)
def _dataset(config: str) -> Dataset:
    """One copy of the images, however many protocols of an adaptation curve sample them."""
    dataset = DatasetConfig.model_validate_json(config)
    return load_dataset(dataset.name, dataset.options)


def block_arrays(
    episodes: list[Episode], outcome: Outcome, threat: Threat, learner: Learner
) -> dict[str, Array]:
    """The arrays of a block's evidence, from its E episodes and what came of them."""
    block = stack_episodes(episodes)
    facts = ("logits", "budget_used", "changed", "zero_gradients", "attacker_correct")
    objectives = ("objective_start", "objective_end")
    sought: tuple[str, ...] = ("radius",) if threat.seeks_radius else ()
    if threat.climbs:
        sought += Convergence._fields
    if threat.has_backdoor:
        sought += BACKDOOR_FACTS
    sought += threat.certificates(learner)
    return {
        "labels": as_array(block.query_classes),
        "class_ids": as_array(block.class_ids),
        "query_ids": as_array(block.query_ids),
        "support_ids": as_array(block.support_ids),
        "number": as_array(block.number),
        "gradient_calls": np.full(
            len(episodes), threat.gradient_calls(episodes[0].ways), dtype=np.int64
        ),
        **{name: as_array(getattr(outcome, name)) for name in (*facts, *objectives, *sought)},
        **(regression_arrays(block, outcome) if block.regression else {}),
    }


def _picture(episode: Episode, outcome: Outcome, dataset: Dataset) -> dict[str, Array]:
    inputs = {
        "support_clean": as_array(episode.support_x),
        "support": as_array(outcome.support_x[0]),
        "query_clean": as_array(episode.query_x),
        "query": as_array(outcome.query_x[0]),
    }
    given, true = as_array(outcome.support_y[0]), as_array(episode.support_y)
    if episode.regression:
        return {**inputs, "support_values": given, **function_points(episode, dataset)}
    return {**inputs, "support_y": given, "support_true": true}


def _zero_budget(threat: Threat, carry: probes.Carry) -> dict[str, float]:
    """How far the logits of one episode are from the clean ones when the budget is zero."""
    harmless = threat.without_budget()
    if harmless is None:
        return {}
    difference = carry(harmless).logits - carry(Clean()).logits
    return {"zero_budget_difference": float(difference.abs().max())}
