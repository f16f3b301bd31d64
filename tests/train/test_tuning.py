"""A search: the same trials whenever it is run, whatever interrupted it; meta-val alone decides."""

import csv
import json
import shutil

import pytest

from metarobust.config.loading import load_config
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.config.tune import TuneConfig
from metarobust.config.yaml import dump_yaml
from metarobust.core.digest import digest_json
from metarobust.core.errors import CheckpointError, ConfigError
from metarobust.train import tuning
from metarobust.train.trials import Trial, best_trial
from metarobust.train.tuning import propose, tune

pytest.importorskip("optuna")

SEARCH = {
    "name": "search",
    "train": "ridge-glyphs",
    "set": {
        "iterations": 2,
        "validation.every": 1,
        "validation.episodes": 2,
        "protocol.ways": 5,
        "learner.backbone": {"name": "mlp", "width": 8},
    },
    "search": {
        "optimiser.rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "tasks": {"low": 1, "high": 3, "integer": True},
        "optimiser.schedule": ["constant", "cosine"],
    },
    "trials": 4,
    "start": 2,
}


def search(**changes):
    return TuneConfig.model_validate({**SEARCH, **changes})


def run(config, folder):
    return tune(config, folder, {}, lambda number: lambda *step: None, lambda *trials: None)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(search(), folder)


def test_every_trial_is_trained_with_what_was_tried(done):
    folder, trials = done
    for trial in trials:
        used = load_config(TrainConfig, folder / f"trial-{trial.number:03d}/config.yaml", "train")
        assert used.optimiser.rate == trial.values["optimiser.rate"]
        assert (used.tasks, used.iterations) == (trial.values["tasks"], 2)
        assert used.optimiser.schedule == trial.values["optimiser.schedule"]
        history = json.loads((folder / f"trial-{trial.number:03d}/history.json").read_text())
        assert trial.score == max(row["accuracy"] for row in history)


def test_values_stay_in_their_ranges(done):
    for trial in done[1]:
        assert 1e-4 <= trial.values["optimiser.rate"] <= 1e-1
        assert trial.values["tasks"] in (1, 2, 3)
        assert isinstance(trial.values["tasks"], int)


def test_a_search_that_was_stopped_goes_on_to_the_same_end(done, tmp_path):
    whole, trials = done
    run(search(trials=2), tmp_path)
    assert run(search(), tmp_path) == trials
    for name in ("trials.csv", "trials.svg", "best.yaml"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_the_history_is_a_table_and_the_winner_a_configuration(done):
    folder, trials = done
    with (folder / "trials.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in rows] == [trial.score for trial in trials]
    best = best_trial(trials)
    assert best is not None
    assert best.score == max(trial.score for trial in trials)
    chosen = load_config(TrainConfig, folder / "best.yaml", "train")
    original = load_config(TrainConfig, "ridge-glyphs", "train")
    assert chosen.optimiser.rate == best.values["optimiser.rate"]
    assert chosen.iterations == original.iterations, "what was cut short for the search is not kept"


def test_another_search_does_not_go_on_in_its_folder(done):
    with pytest.raises(CheckpointError, match="belongs to another search"):
        run(search(seed=1), done[0])


def test_a_search_is_known_by_what_it_trains_not_by_where_that_is_written(done, tmp_path):
    shutil.copytree(done[0], tmp_path / "search")
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_yaml(plain(load_config(TrainConfig, "ridge-glyphs", "train"))))
    assert run(search(train=str(copy)), tmp_path / "search") == done[1]


def test_a_search_stored_in_the_first_form_goes_on(done, tmp_path):
    """Until now the digest was of the search's and its first training's configuration."""
    shutil.copytree(done[0], tmp_path / "search")
    path, first = tmp_path / "search/trials.json", tuning._first_values(search())
    trial = plain(tuning._trial_training(search(), 0, first))
    facts = {key: value for key, value in plain(search()).items() if key not in ("name", "trials")}
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "experiment": digest_json([facts, trial])}))
    assert run(search(), tmp_path / "search") == done[1]


def test_a_training_that_diverges_is_a_failed_trial(tmp_path):
    wild = {"optimiser.rate": {"low": 1e30, "high": 1e35, "log": True}}
    settings = {**SEARCH["set"], "iterations": 6, "optimiser.name": "sgd"}
    trials = run(search(search=wild, set=settings, trials=2), tmp_path)
    assert [trial.score for trial in trials] == [None, None]
    assert all("training diverged" in trial.failure for trial in trials)
    assert best_trial(trials) is None
    assert not (tmp_path / "best.yaml").exists()
    assert "training diverged" in (tmp_path / "trials.csv").read_text()


def test_the_search_learns_from_the_trials_before():
    config = search(search={"optimiser.rate": {"low": 1e-4, "high": 1e-1, "log": True}}, start=4)
    rates = [10 ** (-4 + 3 * i / 19) for i in range(20)]
    trials = [Trial(i, {"optimiser.rate": r}, 1 - i / 20, 0.0, 1, "") for i, r in enumerate(rates)]
    proposed = []
    for _ in range(10):
        proposed.append(propose(config, trials)["optimiser.rate"])
        trials.append(Trial(len(trials), {"optimiser.rate": proposed[-1]}, 0.0, 0.0, 1, ""))
    assert sorted(proposed)[5] < 10**-2.5, "the median is in the better half of the range"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"optimiser.rat": [1, 2]}}, "did you mean 'rate'"),
        ({"set": {"seed": 3}}, "the search's own"),
        ({"set": {"tasks": 1}}, "both set and searched: tasks"),
        ({"search": {"tasks": {"low": 2, "high": 1}}}, "expected low < high"),
        ({"search": {"tasks": {"low": 0, "high": 1, "log": True}}}, "above 0"),
        ({"search": {"tasks": {"low": 0.5, "high": 1, "integer": True}}}, "expected whole ends"),
        ({"search": {"tasks..x": [1, 2]}}, "expected PATH=VALUE"),
    ],
)
def test_bad_searches_are_refused_before_any_training(changes, message, tmp_path):
    with pytest.raises((ConfigError, ValueError), match=message):
        run(search(**changes), tmp_path)
    assert not list(tmp_path.iterdir())
