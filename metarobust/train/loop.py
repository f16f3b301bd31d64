"""The meta-training loop: gradient steps, meta-validation, checkpoints, exact resumption."""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from metarobust.assembly.checkpoint import save_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.assembly.learner import build_learner
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.config.yaml import dump_yaml
from metarobust.core.device import device_of, resolve_device
from metarobust.core.engine import preferred_backend
from metarobust.core.errors import CheckpointError, DivergenceError
from metarobust.core.jsonio import write_atomic
from metarobust.core.writer import only_writer
from metarobust.data.base import Dataset
from metarobust.learners.base import Learner
from metarobust.train.averaging import update_average
from metarobust.train.build import (
    check_shareable,
    learner_spec,
    make_optimiser,
    make_stream,
    make_validator,
)
from metarobust.train.history import write_history
from metarobust.train.identity import same_training
from metarobust.train.moments import measure_running_moments
from metarobust.train.ranks import Alone, Ranks
from metarobust.train.schedule import iteration_costs, planned_iterations, rate_at
from metarobust.train.selection import best_row, criterion, should_stop, warning
from metarobust.train.sidecar import training_facts
from metarobust.train.state import Progress, load_state, save_state
from metarobust.train.step import UNSOLVABLE, outer_step
from metarobust.train.validate import Validator

OnStep = Callable[[int, float, Mapping[str, Any] | None], None]
"""Told after each iteration: iterations done, the mean loss, the validation row if there is one."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind.

    Attributes:
        checkpoint: the weights of the best meta-validation accuracy, or least error.
        best: the history row they were chosen by.
        last: the last history row, with what the whole run spent.
    """

    checkpoint: Path
    best: Mapping[str, Any]
    last: Mapping[str, Any]


def train(
    config: TrainConfig,
    folder: Path,
    facts: Mapping[str, Any],
    on_step: OnStep,
    ranks: Ranks | None = None,
    *,
    allowed_code: frozenset[str] = frozenset(),
) -> TrainingResult:
    """Meta-train a learner, from the start or from where a killed run stopped.

    Tasks are a function of the iteration and the state is saved whole, so a run that was killed and
    resumed ends in the same bits as one that was not. The checkpoint is chosen by meta-validation
    accuracy alone, clean or robust; meta-test classes are never looked at.

    Args:
        config: the configuration.
        folder: where configuration, state, history, curve and checkpoint go.
        facts: provenance for the checkpoint's sidecar (versions, command).
        on_step: told of progress.
        ranks: the processes that train together, all with the same arguments; by default this one
            alone. The first of them validates and writes.
        allowed_code: files and modules whose code the user has allowed on the command line.

    Raises:
        CheckpointError: the folder holds the state of another experiment, which is left as it is,
            or another process is writing it.
        ConfigError: the objective does not suit the learner, or its tasks cannot be shared by so
            many processes.
        DivergenceError: the loss is no longer finite.
    """
    iterations, cost = planned_iterations(config), iteration_costs(config)
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    ranks = ranks or Alone(resolve_device(config.device))
    check_shareable(config, ranks)
    device, backend = ranks.device, preferred_backend(ranks.device)
    spec = learner_spec(config, dataset)
    learner = build_learner(spec, config.seed, allowed_code=allowed_code).to(device)
    stream = make_stream(config, learner, dataset)
    stream.module.to(device)
    learner.precision = getattr(torch, config.precision)
    optimiser = make_optimiser(config.optimiser, stream.module)
    validator = make_validator(config, dataset)
    decay = config.optimiser.average
    average = None if decay is None else deepcopy(learner)
    judged = average or learner
    state = folder / "state.safetensors"
    code = spec.code()
    with only_writer(folder, CheckpointError) if ranks.first else nullcontext():
        experiment = same_training(config, spec, dataset)
        progress = load_state(state, experiment, stream.module, optimiser, average)
        history, column = progress.history, criterion(config.validation, dataset.task)
        if ranks.first:
            write_atomic(folder / "config.yaml", dump_yaml(plain(config)))
        checkpoint = folder / f"{config.name}.safetensors"

        while progress.iteration < iterations and not should_stop(
            history, column, config.validation.patience
        ):
            learner.train()
            for group in optimiser.param_groups:
                group["lr"] = rate_at(config.optimiser, progress.iteration, iterations)
            loss = outer_step(
                stream,
                optimiser,
                progress.iteration,
                ranks=ranks,
                backend=backend,
                clip=config.optimiser.clip,
            )
            learner.eval()
            if average is not None and decay is not None:
                update_average(average, learner, decay, progress.iteration)
            progress.gradient_evaluations += cost(progress.iteration)
            progress.iteration += 1
            if not math.isfinite(loss):
                raise _diverged(config, progress.iteration, loss)
            row = None
            due = progress.iteration % config.validation.every == 0
            if due or progress.iteration == iterations:
                if ranks.first:
                    measured = _measured(config, dataset, validator, judged, progress, loss)
                    row = {
                        "iteration": progress.iteration,
                        "loss": loss,
                        **measured,
                        "gradient_evaluations": progress.gradient_evaluations,
                        "warning": warning(
                            measured, validator.sampler.protocol.ways, config.objective
                        ),
                    }
                row = ranks.agreed(row)
                history.append(row)
            if ranks.first:
                if row:
                    if best_row(history, column) == len(history) - 1:
                        sidecar = {**training_facts(config, dataset, row), **facts}
                        if code:
                            sidecar["code"] = code
                        save_checkpoint(checkpoint, judged, spec, sidecar)
                    write_history(folder, config.name, history)
                if row or progress.iteration % config.checkpoint_every == 0:
                    save_state(state, progress, stream.module, optimiser, average)
                on_step(progress.iteration, loss, row)
        return TrainingResult(checkpoint, history[best_row(history, column)], history[-1])


def _measured(
    config: TrainConfig,
    dataset: Dataset,
    validator: Validator,
    judged: Learner,
    progress: Progress,
    loss: float,
) -> dict[str, Any]:
    backend = preferred_backend(device_of(judged))
    try:
        measure_running_moments(judged, dataset, config.seed)
        return validator.measure(judged, backend)
    except UNSOLVABLE:
        raise _diverged(config, progress.iteration, loss) from None


def _diverged(config: TrainConfig, iteration: int, loss: float) -> DivergenceError:
    return DivergenceError(
        f"training diverged: the loss of step {iteration} is {loss:g}; lower optimiser.rate, now "
        f"{config.optimiser.rate:g}"
    )
