"""From a training configuration to its parts: learner, tasks, optimiser, validation."""

from typing import Any

import torch
from torch import nn

from metarobust.assembly.learner import LearnerSpec
from metarobust.assembly.suitability import learner_objection, threat_objection
from metarobust.config.train import OptimiserConfig, TrainConfig
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner
from metarobust.train.classification import Classification
from metarobust.train.mixture import make_mixture
from metarobust.train.ranks import Ranks
from metarobust.train.stream import Episodic, TaskStream
from metarobust.train.validate import Validator, make_check


def learner_spec(config: TrainConfig, dataset: Dataset) -> LearnerSpec:
    """What the configuration says of the learner, for this data set's inputs."""
    options: dict[str, Any] = dict(config.learner.options)
    if config.learner.norm_mode is not None:
        options["norm_mode"] = config.learner.norm_mode
    return LearnerSpec(
        name=config.learner.name,
        backbone=config.learner.backbone.name,
        input_shape=dataset.input_shape,
        options=options,
        backbone_options=config.learner.backbone.options,
    )


def make_stream(config: TrainConfig, learner: Learner, dataset: Dataset) -> TaskStream:
    """The tasks that are trained on, of meta-train classes only."""
    for shape in (config.protocol, config.validation_protocol):
        if reason := learner_objection(learner, dataset, Protocol(**shape.model_dump())):
            raise ConfigError(f"learner {config.learner.name}: {reason}")
    if config.objective.name == "classification":
        if dataset.task != "classification":
            raise ConfigError(
                f"objective classification: {dataset.name} is a {dataset.task}; use episodic"
            )
        seed = derive_seed(config.seed, "classification")
        return Classification(learner, dataset, config.tasks, seed)
    sampler = EpisodeSampler(dataset, Protocol(**config.protocol.model_dump()), config.seed)
    mixture = make_mixture(config.objective, config.seed)
    for objective in mixture.objectives:
        reasons = (threat_objection(threat, dataset) for threat in objective.threats)
        if reason := objective.objection(learner, dataset.task) or next(filter(None, reasons), ""):
            raise ConfigError(f"objective {config.objective.name}: {reason}")
    return Episodic(learner, sampler, config.tasks, mixture)


def check_shareable(config: TrainConfig, ranks: Ranks) -> None:
    """Whether the tasks of an iteration can be shared by so many processes.

    Raises:
        ConfigError: there are fewer tasks than processes, or one task whose images see each other.
    """
    if ranks.count == 1:
        return
    if config.objective.name == "classification":
        raise ConfigError(
            "objective classification normalises each batch by its own statistics, which processes "
            f"cannot share, got {ranks.count}; use one process"
        )
    if config.tasks < ranks.count:
        raise ConfigError(
            f"tasks: expected at least one for each of the {ranks.count} processes, got "
            f"{config.tasks}; raise tasks, or use fewer processes"
        )


def make_validator(config: TrainConfig, dataset: Dataset) -> Validator:
    """Meta-val episodes, the same at every validation, and the attacks on them."""
    protocol = Protocol(**config.validation_protocol.model_dump())
    seed = derive_seed(config.seed, "validation")
    check, episodes = config.validation.attack, config.validation.episodes
    return Validator(
        EpisodeSampler(dataset, protocol, seed),
        episodes,
        None if check is None else make_check(check, min(check.episodes or episodes, episodes)),
    )


def make_optimiser(config: OptimiserConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The outer optimiser, over the module's parameters in their order.

    Raises:
        ConfigError: the module has no parameters.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise ConfigError(
            "learner: this learner on this backbone has nothing to train; choose another backbone, "
            "such as mlp, or a learner with parameters of its own, such as ridge"
        )
    if config.name == "adam":
        return torch.optim.Adam(parameters, config.rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters,
        config.rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        weight_decay=config.weight_decay,
    )
