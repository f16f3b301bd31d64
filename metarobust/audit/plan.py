"""From a configuration to cells and blocks, each with a key that names everything it depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.checkpoint import Checkpoint, load_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.assembly.suitability import learner_objection, threat_objection
from metarobust.assembly.threat import Threat
from metarobust.audit.adaptation import curve_points, followed, own_point
from metarobust.audit.aspects import EXPLANATION_GRADIENTS, explains
from metarobust.audit.describe import dataset_facts, learner_facts, threat_facts
from metarobust.audit.gates import check_gates
from metarobust.audit.identity import asked, cell_key, engine_code
from metarobust.audit.regression_evidence import fitted_noise
from metarobust.audit.step_search import settle
from metarobust.audit.validation import clean_logits, measure_recalibration, roomy
from metarobust.config.audit import AuditConfig, LearnerEntry
from metarobust.config.effort import with_effort
from metarobust.config.expand import expand_threats
from metarobust.config.recipe import Recipe
from metarobust.core.device import resolve_device
from metarobust.core.digest import digest_json
from metarobust.core.errors import AttackError, ConfigError
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner
from metarobust.threats.scale import logit_scale

SCALE_EPISODES = 20


@dataclass(frozen=True)
class PlannedCell:
    """One learner x one threat.

    Attributes:
        key: digest of everything that decides its numbers.
        position: place in the plan.
        config: the audit it is a cell of; the cells of an adaptation curve have their own.
        entry: the learner.
        recipe: the threat; None is the clean cell.
        scale: the learner's logit scale; of a regression, the noise fitted to its errors.
        gradient_calls: gradients of the learner for one episode, explanations included.
        adaptations: those of a search without gradients, for one episode.
        description: JSON-ready facts, as in `CellEvidence`.
    """

    key: str
    position: int
    config: AuditConfig
    entry: LearnerEntry
    recipe: Recipe | None
    scale: float
    gradient_calls: int
    adaptations: int
    description: dict[str, Any]


@dataclass(frozen=True)
class PlannedBlock:
    """Consecutive episodes of one cell: the unit of computing, storing and resuming."""

    key: str
    cell: PlannedCell
    start: int
    count: int


@dataclass(frozen=True)
class Plan:
    """Everything an audit will compute.

    Attributes:
        config: the configuration.
        cells: in the order of reports: learner by learner, the clean cell first; the cells of
            adaptation curves last.
        episodes: how many of each cell; fewer than configured when limited.
        dataset: name, digest and provenance of the data.
        experiment: what makes another run the same experiment.
    """

    config: AuditConfig
    cells: tuple[PlannedCell, ...]
    episodes: int
    dataset: dict[str, Any]
    experiment: dict[str, Any]

    @property
    def limited(self) -> bool:
        """Whether fewer episodes are evaluated than the configuration asks for."""
        return self.episodes < self.config.episodes

    def blocks(self) -> Iterator[PlannedBlock]:
        """The blocks, first episodes of every cell first, so that an early stop covers all cells.

        Blocks lie on a grid fixed by the configuration; a limited run takes whole blocks of it.
        """
        size, total = self.config.block, self.config.episodes
        for start in range(0, self.episodes, size):
            count = min(size, total - start)
            for cell in self.cells:
                key = digest_json({"cell": cell.key, "start": start, "count": count})
                yield PlannedBlock(key, cell, start, count)


def make_plan(
    config: AuditConfig, *, episodes: int | None, allowed_code: frozenset[str] = frozenset()
) -> Plan:
    """Resolve learners, threats and data, and refuse now what cannot be run later.

    Args:
        config: the configuration.
        episodes: evaluate only the first so many, rounded up to whole blocks; None for all.
        allowed_code: plug-in files the user has named on the command line.

    Raises:
        MetarobustError: a name or the device is unknown, data or a checkpoint is unusable, the
            protocol does not fit the data, a learner does not fit its inputs, a threat cannot be
            run on a learner, two cells are the same, or a gate names no cell.
    """
    resolve_device(config.device)
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    protocol = Protocol(**config.protocol.model_dump())
    sampler = EpisodeSampler(dataset, protocol, config.seed)
    limit = config.episodes if episodes is None else min(episodes, config.episodes)
    evaluated = min(-(-limit // config.block) * config.block, config.episodes)
    if sampler.capacity is not None and config.episodes > sampler.capacity:
        raise ConfigError(
            f"episodes: {config.episodes} asked for, but disjoint sampling of {dataset.name} has "
            f"{sampler.capacity}; use --set episodes={sampler.capacity}"
        )
    if dataset.task == "regression" and "aspects" in asked(config):
        raise ConfigError(
            f"aspects are about classes, {dataset.name} is a regression; leave them out"
        )
    recipes = [None, *with_effort(expand_threats(config.threats), config.effort)]
    check_gates(config.gates, [entry.title for entry in config.learners], recipes)
    threats = [(recipe, build_threat(recipe, allowed_code=allowed_code)) for recipe in recipes]
    chosen = followed(config, recipes)
    on_curves = [pair for pair in threats if pair[0] in chosen]
    facts = dataset_facts(dataset, sampler)
    cells: list[PlannedCell] = []
    points: list[PlannedCell] = []
    weights: dict[str, str] = {}
    plugins: dict[str, str] = {}
    for recipe in filter(None, recipes):
        plugins |= engine_code(recipe)
    for entry in config.learners:
        checkpoint = open_learner(entry, allowed_code)
        weights[entry.title] = checkpoint.weights
        plugins |= checkpoint.spec.code()
        own = own_point(config, checkpoint.learner)
        mark = {"own_point": own} if own else {}
        cells += _cells(config, entry, checkpoint, threats, dataset, facts, mark, allowed_code)
        for point in curve_points(config, entry, own):
            there = open_learner(point.entry, allowed_code)
            mark = {"adaptation": point.mark}
            points += _cells(
                point.config, point.entry, there, on_curves, dataset, facts, mark, allowed_code
            )
    cells = [replace(cell, position=place) for place, cell in enumerate([*cells, *points])]
    _check_no_twins(cells)
    experiment = {
        **asked(config),
        "dataset_digest": dataset.digest,
        "weights": weights,
        "plugins": plugins,
        "cells": digest_json([cell.key for cell in cells]),
    }
    return Plan(config, tuple(cells), evaluated, facts, experiment)


def _cells(
    config: AuditConfig,
    entry: LearnerEntry,
    checkpoint: Checkpoint,
    threats: Sequence[tuple[Recipe | None, Threat]],
    dataset: Dataset,
    facts: dict[str, Any],
    mark: dict[str, Any],
    allowed_code: frozenset[str],
) -> Iterator[PlannedCell]:
    """The cells of one learner, each marked; their positions are still to be given."""
    learner, label = checkpoint.learner, entry.title
    _check_inputs(label, checkpoint, dataset)
    protocol = Protocol(**config.protocol.model_dump())
    if objection := learner_objection(learner, dataset, protocol):
        raise ConfigError(f"{label}: {objection}")
    measured = _measured(learner, dataset, protocol, config.seed)
    scale = measured.scale
    for written, unbound in threats:
        threat = unbound.with_data(dataset, protocol)
        objection = (
            threat_objection(threat, dataset)
            or threat.misfit(dataset.input_shape)
            or threat.objection(learner, protocol)
        )
        if objection:
            raise AttackError(f"{written.name if written else 'clean'} on {label}: {objection}")
        recipe, found = settle(
            written, threat, learner, dataset, protocol, config.seed, scale, allowed_code
        )
        description = {
            "learner": {
                **learner_facts(label, entry, checkpoint),
                **measured.facts,
            },
            "threat": {**threat_facts(recipe, dataset), **found},
            "protocol": {**config.protocol.model_dump(), "episodes": config.episodes},
            "dataset": facts,
            "seed": config.seed,
            **mark,
        }
        key = cell_key(config, checkpoint, scale, recipe, threat, dataset)
        calls = threat.gradient_calls(protocol.ways)
        calls += EXPLANATION_GRADIENTS * explains(config.aspects, recipe, learner)
        tries = threat.adaptations(protocol)
        yield PlannedCell(key, 0, config, entry, recipe, scale, calls, tries, description)


def _check_no_twins(cells: Sequence[PlannedCell]) -> None:
    first: dict[str, str] = {}
    for cell in cells:
        about = cell.description
        name = f"{about['threat']['label']} on {about['learner']['label']}"
        if (twin := first.setdefault(cell.key, name)) is not name:
            raise ConfigError(
                f"expected cells that differ, got '{twin}' and '{name}' with the same tensors, "
                "options and budget; leave one out"
            )


def open_learner(entry: LearnerEntry, allowed_code: frozenset[str] = frozenset()) -> Checkpoint:
    """The trained learner of a configuration entry, with its test-time options."""
    return load_checkpoint(entry.checkpoint, entry.overrides, allowed_code=allowed_code)


class _Measured(NamedTuple):
    """What is measured of a learner before it is audited: its scale, and facts of a description."""

    scale: float
    facts: dict[str, Any]


def _measured(learner: Learner, dataset: Dataset, protocol: Protocol, seed: int) -> _Measured:
    if dataset.task == "regression":
        noise = fitted_noise(learner, dataset, protocol, seed)
        return _Measured(noise, {"noise": noise})
    scale = measure_scale(learner, dataset, protocol, seed)
    recalibration = measure_recalibration(learner, dataset, protocol, seed)
    return _Measured(scale, {"logit_scale": scale, "recalibration": recalibration})


def measure_scale(learner: Learner, dataset: Dataset, protocol: Protocol, seed: int) -> float:
    """The learner's logit scale, from clean queries of meta-val episodes (two digits).

    Data sets without meta-val classes use meta-train, then the audited split; no label is looked
    at. Two digits, so that another machine's rounding does not change the keys of the cells.
    """
    split = next(
        part for part in ("val", "train", protocol.split) if roomy(dataset, part, protocol)
    )
    own_seed = derive_seed(seed, "scale")
    logits, _ = clean_logits(learner, dataset, protocol, split, own_seed, SCALE_EPISODES)
    return float(f"{logit_scale(logits.flatten(0, 1)):.2g}")


def _check_inputs(label: str, checkpoint: Checkpoint, dataset: Dataset) -> None:
    expected, got = tuple(checkpoint.spec.input_shape), tuple(dataset.input_shape)
    if expected != got:
        raise ConfigError(
            f"{label} was trained on inputs of shape {list(expected)}, {dataset.name} has "
            f"{list(got)}; resize the data (dataset.size, dataset.channels) or train on it"
        )
