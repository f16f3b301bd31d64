"""From a training configuration to its parts: learner, objective, optimiser, protocols."""

import math
from typing import Any

import torch
from torch import nn

from metarobust.assembly.learner import LearnerSpec
from metarobust.config.train import OptimiserConfig, TrainConfig
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner
from metarobust.train.objectives import Classification, Episodic, Objective


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


def make_objective(config: TrainConfig, learner: Learner, dataset: Dataset) -> Objective:
    """What is minimised, over meta-train classes only."""
    if config.objective == "classification":
        seed = derive_seed(config.seed, "classification")
        return Classification(learner, dataset, config.tasks, seed)
    sampler = EpisodeSampler(dataset, Protocol(**config.protocol.model_dump()), config.seed)
    return Episodic(learner, sampler, config.tasks)


def validation_sampler(config: TrainConfig, dataset: Dataset) -> EpisodeSampler:
    """Meta-val episodes, the same at every validation."""
    protocol = Protocol(**config.validation_protocol.model_dump())
    return EpisodeSampler(dataset, protocol, derive_seed(config.seed, "validation"))


def make_optimiser(config: OptimiserConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The outer optimiser, over the module's parameters in their order."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    if config.name == "adam":
        return torch.optim.Adam(parameters, config.rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters,
        config.rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        weight_decay=config.weight_decay,
    )


def rate_at(config: OptimiserConfig, iteration: int, iterations: int) -> float:
    """The learning rate of an iteration: constant, or a half cosine that falls to zero."""
    if config.schedule == "constant":
        return config.rate
    return config.rate * 0.5 * (1 + math.cos(math.pi * iteration / iterations))
