"""`metarobust train`: meta-train a learner."""

from pathlib import Path

import click

from metarobust.cli.common import (
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
@set_option
@print_config_option
@json_option
def train(
    config: str, out: str | None, overrides: tuple[str, ...], print_config: bool, as_json: bool
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
        emit_config(settings)
        return

    from collections.abc import Mapping
    from typing import Any

    import torch

    from metarobust.cli.progress import Progress
    from metarobust.core.environment import command_line, versions
    from metarobust.train.loop import train as run_training

    torch.set_num_threads(1)
    folder = run_folder(settings.name, out)
    facts = {"command": command_line(), "seed": settings.seed, "versions": versions()}
    with Progress(settings.iterations, unit="step", title=settings.name) as bar:

        def on_step(iteration: int, loss: float, row: Mapping[str, Any] | None) -> None:
            bar.reach(iteration, f"loss {loss:.3f}")
            if row:
                error = row["standard_error"]
                bar.say(
                    f"step {iteration}: loss {row['loss']:.3f}, meta-val accuracy "
                    f"{row['accuracy']:.4f}" + ("" if error is None else f" ± {1.96 * error:.4f}")
                )

        result = run_training(settings, folder, facts, on_step)
    if as_json:
        emit({"checkpoint": str(result.checkpoint), "best": dict(result.best)})
    say(
        f"best meta-val accuracy {result.best['accuracy']:.4f} at step "
        f"{result.best['iteration']}; checkpoint: {result.checkpoint}"
    )
    say(f"curve: {Path(folder) / 'curve.svg'}")
