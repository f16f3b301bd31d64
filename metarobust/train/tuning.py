"""The search for good training options: trials one after another, each judged on meta-val."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from metarobust.assembly.dataset import load_dataset
from metarobust.config.loading import load_config
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.config.tune import RangeConfig, TuneConfig
from metarobust.config.yaml import dump_yaml
from metarobust.core.errors import CheckpointError, ConfigError, DivergenceError
from metarobust.core.extras import required
from metarobust.core.jsonio import canonical_json, read_json, write_atomic, write_json
from metarobust.core.seeds import derive_seed
from metarobust.core.writer import only_writer
from metarobust.train.identity import Digests, same_search
from metarobust.train.loop import OnStep, TrainingResult, train
from metarobust.train.selection import criterion
from metarobust.train.trials import Trial, best_trial, write_trials

HISTORY = "trials.json"
BEST = "best.yaml"

OnTrial = Callable[[Trial, Trial | None], None]
"""Told after each trial: the trial, and the best so far if one has succeeded."""


def tune(
    config: TuneConfig,
    folder: Path,
    facts: Mapping[str, Any],
    on_step: Callable[[int], OnStep],
    on_trial: OnTrial,
    *,
    allowed_code: frozenset[str] = frozenset(),
) -> list[Trial]:
    """Search, from the start or from where a killed search stopped.

    Trial K is a pure function of the configuration and of the trials before it: the sampler (TPE,
    Bergstra et al. 2011) is told of those and seeded anew. So a search that was killed and resumed
    tries the same options, and the training that was under way goes on from its own state.

    After every trial the folder holds `trials.json`, `trials.csv`, `trials.svg`, and `best.yaml`:
    the configured training with the best values found, in full, without what `set` cut short.

    Args:
        config: the search.
        folder: where trials and history go.
        facts: provenance for the checkpoints' sidecars.
        on_step: makes the observer of a trial's training from its number.
        on_trial: told of progress.
        allowed_code: files and modules whose code the user has allowed on the command line.

    Raises:
        CheckpointError: the folder holds another search, which is left as it is, or another
            process is writing it.
        ConfigError: an option does not exist, the task is a regression, or Optuna is not installed.
    """
    required("optuna", "tune")
    first = _trial_training(config, 0, _first_values(config))
    dataset = load_dataset(first.dataset.name, first.dataset.options)
    if dataset.task != "classification":
        raise ConfigError(
            f"tune chooses by accuracy, {dataset.name} is a {dataset.task}; use train"
        )
    column = criterion(first.validation)
    experiment = same_search(config, first, dataset)
    with only_writer(folder, CheckpointError):
        trials = _earlier(config, folder, experiment)
        while len(trials) < config.trials:
            number = len(trials)
            values = propose(config, trials)
            settings = _trial_training(config, number, values)
            train_it = partial(
                train,
                settings,
                folder / settings.name,
                {**facts, "seed": settings.seed},
                on_step(number),
                allowed_code=allowed_code,
            )
            trials.append(_run(train_it, number, values, column))
            write_json(
                folder / HISTORY,
                {"experiment": experiment[0], "trials": [vars(trial) for trial in trials]},
            )
            write_trials(folder, config.name, column, trials)
            best = best_trial(trials)
            if best is not None:
                whole = training(config, f"{config.name}-best", best.values)
                write_atomic(folder / BEST, dump_yaml(plain(whole)))
            on_trial(trials[-1], best)
        return trials


def training(config: TuneConfig, name: str, values: Mapping[str, Any]) -> TrainConfig:
    """The configured training under another name, with other values of some options.

    Raises:
        ConfigError: an option does not exist or does not take the value.
    """
    options = {**values, "name": name}
    changes = [f"{path}={canonical_json(value)}" for path, value in options.items()]
    return load_config(TrainConfig, config.train, "train", changes)


def _trial_training(config: TuneConfig, number: int, values: Mapping[str, Any]) -> TrainConfig:
    return training(config, trial_name(number), {**config.set, **values})


def trial_name(number: int) -> str:
    """The name of a trial, and of its folder."""
    return f"trial-{number:03d}"


def propose(config: TuneConfig, trials: list[Trial]) -> dict[str, Any]:
    """The values of the next trial, given all before it.

    A trial that failed is told as one that did worse than any other, so that its
    neighbourhood is left.
    """
    optuna = required("optuna", "tune")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=derive_seed(config.seed, "tune", len(trials)) % 2**32,
        n_startup_trials=config.start,
        multivariate=False,
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {path: _distribution(optuna, space) for path, space in config.search.items()}
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.values,
                distributions=distributions,
                value=-1.0 if trial.score is None else trial.score,
            )
        )
    asked = study.ask(distributions)
    return {path: asked.params[path] for path in config.search}


def _distribution(optuna: Any, space: RangeConfig | tuple[Any, ...]) -> Any:
    if isinstance(space, tuple):
        return optuna.distributions.CategoricalDistribution(space)
    if space.integer:
        kind = optuna.distributions.IntDistribution
        return kind(int(space.low), int(space.high), log=space.log)
    return optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)


def _first_values(config: TuneConfig) -> dict[str, Any]:
    """One value of every option: enough to learn whether all of them exist."""
    return {
        path: space[0] if isinstance(space, tuple) else (int if space.integer else float)(space.low)
        for path, space in config.search.items()
    }


def _run(
    train_it: Callable[[], TrainingResult], number: int, values: dict[str, Any], column: str
) -> Trial:
    try:
        best = train_it().best
    except DivergenceError as problem:
        return Trial(number, values, None, None, None, str(problem))
    error = best["standard_error" if column == "accuracy" else f"{column[:-8]}standard_error"]
    return Trial(number, values, best[column], error, best["iteration"], "")


def _earlier(config: TuneConfig, folder: Path, experiment: Digests) -> list[Trial]:
    path = folder / HISTORY
    if not path.exists():
        return []
    found = read_json(path, CheckpointError)
    try:
        stored, trials = found["experiment"], [Trial(**row) for row in found["trials"]]
    except (KeyError, TypeError):
        raise CheckpointError(f"{path}: not a search's history of ours; remove it") from None
    if stored not in experiment:
        raise CheckpointError(
            f"{path} belongs to another search: its options or its training differ from this "
            "one's; choose another name, or remove that folder to start over"
        )
    return [
        replace(trial, values={path: trial.values[path] for path in config.search})
        for trial in trials
    ]
