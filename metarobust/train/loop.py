"""The meta-training loop: gradient steps, meta-validation, checkpoints, exact resumption."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from metarobust.assembly.checkpoint import save_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.assembly.learner import build_learner
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.config.yaml import dump_yaml
from metarobust.core.device import resolve_device
from metarobust.core.digest import digest_json
from metarobust.core.engine import Backend, mean_gradient, preferred_backend
from metarobust.core.errors import ConfigError
from metarobust.core.jsonio import write_atomic
from metarobust.data.base import Dataset
from metarobust.train.build import (
    learner_spec,
    make_objective,
    make_optimiser,
    rate_at,
    validation_sampler,
)
from metarobust.train.history import write_history
from metarobust.train.moments import measure_running_moments
from metarobust.train.objectives import Objective
from metarobust.train.state import load_state, save_state
from metarobust.train.validate import clean_accuracy

MEANS = ("name", "device", "checkpoint_every")
"""Configuration that decides where things are done and kept, but no number."""

OnStep = Callable[[int, float, Mapping[str, Any] | None], None]
"""Told after each iteration: iterations done, the mean loss, the validation row if there is one."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind.

    Attributes:
        checkpoint: the weights of the best meta-validation accuracy.
        best: the history row they were chosen by.
    """

    checkpoint: Path
    best: Mapping[str, Any]


def train(
    config: TrainConfig, folder: Path, facts: Mapping[str, Any], on_step: OnStep
) -> TrainingResult:
    """Meta-train a learner, from the start or from where a killed run stopped.

    Tasks are a function of the iteration and the state is saved whole, so a run that was killed and
    resumed ends in the same bits as one that was not. The checkpoint is chosen by clean
    meta-validation accuracy alone; meta-test classes are never looked at.

    Args:
        config: the configuration.
        folder: where configuration, state, history, curve and checkpoint go.
        facts: provenance for the checkpoint's sidecar (versions, command).
        on_step: told of progress.

    Raises:
        CheckpointError: the folder holds the state of another experiment; it is left as it is.
        ConfigError: the loss is no longer finite.
    """
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    device = resolve_device(config.device)
    backend = preferred_backend(device)
    spec = learner_spec(config, dataset)
    learner = build_learner(spec, config.seed).to(device)
    objective = make_objective(config, learner, dataset)
    module = objective.module.to(device)
    optimiser = make_optimiser(config.optimiser, module)
    validation = validation_sampler(config, dataset)
    state = folder / "state.safetensors"
    experiment = digest_json([_identity(config), dataset.digest])
    progress = load_state(state, experiment, module, optimiser)
    write_atomic(folder / "config.yaml", dump_yaml(plain(config)))
    checkpoint = folder / f"{config.name}.safetensors"

    while progress.iteration < config.iterations:
        learner.train()
        for group in optimiser.param_groups:
            group["lr"] = rate_at(config.optimiser, progress.iteration, config.iterations)
        loss = _step(objective, module, optimiser, progress.iteration, device, backend)
        learner.eval()
        progress.iteration += 1
        if not math.isfinite(loss):
            raise ConfigError(
                f"training diverged: the loss of step {progress.iteration} is {loss}; lower "
                f"optimiser.rate, now {config.optimiser.rate:g}"
            )
        row = None
        due = progress.iteration % config.validation.every == 0
        if due or progress.iteration == config.iterations:
            measure_running_moments(learner, dataset, config.seed)
            episodes = config.validation.episodes
            accuracy, error = clean_accuracy(learner, validation, episodes, backend)
            row = {
                "iteration": progress.iteration,
                "loss": loss,
                "accuracy": accuracy,
                "standard_error": error,
                "gradient_evaluations": progress.iteration * config.tasks,
            }
            best = max((old["accuracy"] for old in progress.history), default=-1.0)
            progress.history.append(row)
            if accuracy > best:
                sidecar = _sidecar(config, dataset, row, validation.protocol, facts)
                save_checkpoint(checkpoint, learner, spec, sidecar)
            write_history(folder, config.name, progress.history)
        if row or progress.iteration % config.checkpoint_every == 0:
            save_state(state, progress, module, optimiser)
        on_step(progress.iteration, loss, row)
    return TrainingResult(checkpoint, max(progress.history, key=lambda row: row["accuracy"]))


def _step(
    objective: Objective,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    iteration: int,
    device: torch.device,
    backend: Backend,
) -> float:
    """One outer step; returns the mean loss of its tasks."""
    tasks = tree_map(lambda leaf: leaf.to(device), objective.batch(iteration))
    grads, losses = mean_gradient(module, objective.loss, tasks, backend=backend)
    named: dict[str, Tensor] = dict(module.named_parameters())
    for key, grad in grads.items():
        named[key].grad = grad
    optimiser.step()
    optimiser.zero_grad()
    return float(losses.mean())


def _identity(config: TrainConfig) -> dict[str, Any]:
    """What makes two runs the same experiment: all that decides a number."""
    return {k: v for k, v in plain(config).items() if k not in MEANS}


def _sidecar(
    config: TrainConfig,
    dataset: Dataset,
    row: Mapping[str, Any],
    protocol: Any,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "training": {
            "threat": "none",
            "objective": config.objective,
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
            **row,
        },
        **facts,
    }
