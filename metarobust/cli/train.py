"""`metarobust train`: meta-train a learner."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from metarobust.cli.common import (
    allow_code_option,
    emit,
    emit_config,
    json_option,
    print_config_option,
    run_folder,
    say,
    set_option,
)


@click.command()
@click.argument("config")
@click.option("--out", metavar="FOLDER", help="The run folder; default runs/NAME.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that share each step's tasks; on GPUs, one each. Same numbers to rounding.",
)
@set_option
@allow_code_option
@print_config_option
@json_option
def train(
    config: str,
    out: str | None,
    processes: int,
    overrides: tuple[str, ...],
    allow_code: tuple[str, ...],
    print_config: bool,
    as_json: bool,
) -> None:
    """Meta-train a learner on meta-train classes, choosing by meta-val.

    CONFIG is a bundled configuration (see `metarobust ls configs`) or a YAML file. A run that was
    stopped, by whatever means, goes on when the same command is given again, and ends in the same
    bits.
    """
    from metarobust.config.loading import load_config
    from metarobust.config.train import TrainConfig

    settings = load_config(TrainConfig, config, "train", overrides)
    if print_config:
        emit_config(settings, as_json=as_json)
        return

    import torch

    from metarobust.cli.progress import Progress
    from metarobust.core.environment import command_line, versions
    from metarobust.train.loop import train as run_training
    from metarobust.train.ranks import join
    from metarobust.train.schedule import planned_iterations

    ranks = join(processes, settings.device)
    torch.set_num_threads(1)
    folder = run_folder(settings.name, out)
    facts = {"command": command_line(), "seed": settings.seed, "versions": versions()}
    total = planned_iterations(settings)
    with Progress(total, unit="step", title=settings.name) as bar:

        def on_step(iteration: int, loss: float, row: Mapping[str, Any] | None) -> None:
            bar.reach(iteration, f"loss {loss:.3f}")
            if row:
                bar.say(f"step {iteration}: loss {loss:.3f}, meta-val {_accuracies(row)}")
                if row["warning"]:
                    bar.say(f"warning: {row['warning']}")

        result = run_training(
            settings, folder, facts, on_step, ranks, allowed_code=frozenset(allow_code)
        )
    if not ranks.first:
        return
    if as_json:
        emit({"checkpoint": str(result.checkpoint), "best": dict(result.best)})
    last = result.last["iteration"]
    stopped = f" (stopped at step {last} of {total})" if last < total else ""
    say(f"best meta-val {_accuracies(result.best)} at step {result.best['iteration']}{stopped}")
    say(
        f"{result.last['gradient_evaluations']:,} gradient evaluations; "
        f"checkpoint: {result.checkpoint}"
    )
    say(f"curve: {Path(folder) / 'curve.svg'}")


def _accuracies(row: Mapping[str, Any]) -> str:
    """For example `accuracy 0.9520 ± 0.0081, under attack 0.6120 ± 0.0192`."""
    columns = (
        ("accuracy", "accuracy", "standard_error"),
        ("under attack", "robust_accuracy", "robust_standard_error"),
        ("one step", "one_step_accuracy", "one_step_standard_error"),
        ("mean squared error", "mse", "standard_error"),
        ("under attack", "robust_mse", "robust_standard_error"),
        ("one step", "one_step_mse", "one_step_standard_error"),
    )
    return ", ".join(
        f"{label} {row[mean]:.4f}" + ("" if row[error] is None else f" ± {1.96 * row[error]:.4f}")
        for label, mean, error in columns
        if row.get(mean) is not None
    )
