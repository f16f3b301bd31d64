"""`metarobust tune`: search training options on meta-val."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from metarobust.train.trials import Trial


@click.command()
@click.argument("config")
@click.option("--out", metavar="FOLDER", help="The run folder; default runs/NAME.")
@set_option
@allow_code_option
@print_config_option
@json_option
def tune(
    config: str,
    out: str | None,
    overrides: tuple[str, ...],
    allow_code: tuple[str, ...],
    print_config: bool,
    as_json: bool,
) -> None:
    """Search options of a meta-training, such as inner rate and steps, on meta-val alone.

    CONFIG is a bundled configuration (see `metarobust ls configs`) or a YAML file. A search that
    was stopped goes on when the same command is given again. The best training is left as
    best.yaml, for `metarobust train`.
    """
    from metarobust.config.loading import load_config
    from metarobust.config.tune import TuneConfig

    settings = load_config(TuneConfig, config, "tune", overrides)
    if print_config:
        emit_config(settings, as_json=as_json)
        return

    import torch

    from metarobust.cli.progress import Progress
    from metarobust.core.environment import command_line, versions
    from metarobust.train.loop import OnStep
    from metarobust.train.trials import Trial, best_trial
    from metarobust.train.tuning import BEST, trial_name
    from metarobust.train.tuning import tune as search

    torch.set_num_threads(1)
    folder = run_folder(settings.name, out)
    facts = {"command": command_line(), "versions": versions()}
    with Progress(settings.trials, unit="trial", title=settings.name) as bar:

        def on_step(number: int) -> OnStep:
            return lambda step, loss, row: bar.note(f"{trial_name(number)} step {step}")

        def on_trial(trial: Trial, best: Trial | None) -> None:
            bar.reach(trial.number + 1, "" if best is None else f"best {best.score:.4f}")
            bar.say(f"{trial_name(trial.number)}: {_words(trial)}")

        trials = search(
            settings, folder, facts, on_step, on_trial, allowed_code=frozenset(allow_code)
        )
    best = best_trial(trials)
    if as_json:
        emit({"trials": [vars(trial) for trial in trials], "best": best and vars(best)})
    say(f"history: {folder / 'trials.csv'}, picture: {folder / 'trials.svg'}")
    if best is None:
        say("every trial failed")
        return
    say(f"best: {trial_name(best.number)}, {_words(best)}")
    say(f"train it in full: metarobust train {folder / BEST}")


def _words(trial: "Trial") -> str:
    values = ", ".join(
        f"{path} {value:.4g}" if isinstance(value, float) else f"{path} {value}"
        for path, value in trial.values.items()
    )
    if trial.score is None:
        return f"{values}: failed: {trial.failure}"
    error = trial.standard_error
    margin = "" if error is None else f" ± {1.96 * error:.4f}"
    return f"{values}: meta-val {trial.score:.4f}{margin}"
