"""Meta-training learns, resumes in the same bits, and never looks at meta-test classes."""

import csv
import dataclasses
import json
import random
import shutil
from typing import ClassVar

import numpy as np
import pytest
import torch

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.config.loading import load_config
from metarobust.config.model import plain
from metarobust.config.train import TrainConfig
from metarobust.core.digest import digest_json
from metarobust.core.errors import CheckpointError, ConfigError
from metarobust.core.writer import only_writer
from metarobust.train import history, identity, loop, validate
from metarobust.train.build import make_validator
from metarobust.train.loop import train
from metarobust.train.validate import clean_accuracy
from tests.support.tiny_project import MLP, write_pictures

FACTS = {"command": ["metarobust", "train"], "seed": 0}
LEARNERS = {
    "protonet": {},
    "maml": {
        "learner": {"name": "maml", "backbone": MLP, "ways": 3, "inner_steps": 2},
        "iterations": 6,
        "checkpoint_every": 2,
    },
    "centroid": {
        "learner": {"name": "centroid", "backbone": MLP},
        "objective": "classification",
        "tasks": 16,
    },
    "multitask": {
        "learner": {"name": "multitask", "backbone": MLP},
        "objective": "classification",
        "tasks": 16,
    },
    "mann": {"learner": {"name": "mann", "backbone": MLP}},
    "svm": {"learner": {"name": "svm", "backbone": MLP}},
    "sgd": {"optimiser": {"name": "sgd", "rate": 1e-2, "schedule": "constant"}},
}


@pytest.fixture(autouse=True)
def quick_curve(monkeypatch):
    """Most tests need no picture, which takes longer to draw than a tiny learner to train."""
    monkeypatch.setattr(history, "_curve", lambda name, rows: "<svg/>")


@pytest.fixture
def config(tiny):
    return lambda **changes: TrainConfig.model_validate(tiny.training(**changes))


def run(settings, folder, stop_at=None):
    """Train; the losses by iteration. `stop_at` interrupts after that iteration."""
    losses = {}

    def on_step(iteration, loss, row):
        losses[iteration] = loss
        if iteration == stop_at:
            raise KeyboardInterrupt

    result = train(settings, folder, FACTS, on_step)
    return result, losses


def files(folder):
    """What a finished training left, but for the state's and the figure's own encoding."""
    names = ("tiny.safetensors", "tiny.json", "history.csv", "history.json", "state.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("name", LEARNERS)
def test_the_loss_falls_and_the_accuracy_is_above_chance(config, tmp_path, name):
    changes = {**LEARNERS[name], "iterations": 40, "validation": {"every": 20, "episodes": 10}}
    result, losses = run(config(**changes), tmp_path)
    assert list(losses) == list(range(1, 41))
    assert np.mean(list(losses.values())[-8:]) < 0.9 * np.mean(list(losses.values())[:8])
    assert result.best["accuracy"] > 1 / 3 + 0.2


@pytest.mark.parametrize("name", LEARNERS)
def test_a_stopped_run_goes_on_in_the_same_bits(config, tmp_path, name):
    settings = config(**LEARNERS[name])
    _, whole = run(settings, tmp_path / "whole")
    seen = {}
    for stop in (1, 4, 5):  # before a state was saved, at a validation, between two states
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "stopped", stop_at=stop)
    result, last = run(settings, tmp_path / "stopped")
    seen.update(last)
    assert min(last) > 1, "the saved state was used"
    assert seen.items() <= whole.items()
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    again, nothing = run(settings, tmp_path / "stopped")
    assert (nothing, again) == ({}, result)


def test_training_leaves_the_global_generators_alone_and_ignores_them(config, tmp_path):
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    run(config(), tmp_path / "one")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]
    torch.manual_seed(2)
    run(config(), tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_another_seed_is_another_run(config, tmp_path):
    run(config(), tmp_path / "one")
    run(config(seed=1), tmp_path / "two")
    assert (
        files(tmp_path / "one")["tiny.safetensors"] != files(tmp_path / "two")["tiny.safetensors"]
    )


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"iterations": 13}, {"optimiser": {"rate": 2e-2}}, {"tasks": 3}]
)
def test_another_experiment_is_refused_and_its_folder_left_alone(config, tmp_path, change):
    run(config(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="belongs to another experiment"):
        run(config(**change), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_how_often_the_state_is_saved_and_where_it_runs_make_no_other_experiment(config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(config(), tmp_path / "one", stop_at=7)
    run(config(checkpoint_every=5, device="auto"), tmp_path / "one")
    run(config(checkpoint_every=1), tmp_path / "two")
    assert (
        files(tmp_path / "one")["tiny.safetensors"] == files(tmp_path / "two")["tiny.safetensors"]
    )
    assert files(tmp_path / "one")["history.csv"] == files(tmp_path / "two")["history.csv"]


def test_moved_data_are_the_same_experiment(config, tiny, tmp_path):
    moved = shutil.copy(tiny.pictures, tmp_path / "moved.zip")
    with pytest.raises(KeyboardInterrupt):
        run(config(), tmp_path / "one", stop_at=7)
    _, last = run(config(dataset={**tiny.dataset, "root": str(moved)}), tmp_path / "one")
    assert min(last) == 7, "the state of step 6 was used"
    other = write_pictures(tmp_path / "other.zip", images=11)
    with pytest.raises(CheckpointError, match="belongs to another experiment"):
        run(config(dataset={**tiny.dataset, "root": str(other)}), tmp_path / "one")


def test_a_state_marked_with_places_goes_on(config, tmp_path, monkeypatch):
    """Until now a state was marked with the digest of the whole configuration."""
    settings = config()
    facts = {k: v for k, v in plain(settings).items() if k not in identity.MEANS}
    data = load_dataset(settings.dataset.name, settings.dataset.options)
    with monkeypatch.context() as patch:
        marks = (digest_json([facts, data.digest]),) * 2
        patch.setattr(loop, "same_training", lambda *parts: marks)
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path, stop_at=7)
    assert min(run(settings, tmp_path)[1]) == 7


def test_two_trainings_do_not_share_a_folder(config, tmp_path):
    with (
        only_writer(tmp_path, CheckpointError),
        pytest.raises(CheckpointError, match="another metarobust is writing this run"),
    ):
        run(config(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]


def test_the_history_says_what_happened(config, tmp_path):
    result, losses = run(config(iterations=10), tmp_path)
    rows = json.loads((tmp_path / "history.json").read_text())
    assert [row["iteration"] for row in rows] == [4, 8, 10]
    assert [row["loss"] for row in rows] == [losses[4], losses[8], losses[10]]
    assert [row["gradient_evaluations"] for row in rows] == [8, 16, 20]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    with (tmp_path / "history.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in table] == [row["accuracy"] for row in rows]
    assert dict(result.best) == max(rows, key=lambda row: row["accuracy"])
    assert load_config(TrainConfig, tmp_path / "config.yaml", "train") == config(iterations=10)


def test_the_checkpoint_is_the_best_one_and_its_sidecar_can_be_checked(config, tmp_path):
    settings = config()
    result, _ = run(settings, tmp_path)
    found = load_checkpoint(str(result.checkpoint))
    facts = found.facts
    assert facts["validation"]["iteration"] == result.best["iteration"]
    assert facts["training"]["threat"] == "none"
    assert TrainConfig.model_validate(facts["training"]["config"]) == settings
    assert {"command", "seed"} <= facts.keys()
    data = load_dataset(settings.dataset.name, settings.dataset.options)
    assert facts["dataset"] == {"name": data.name, "digest": data.digest}
    accuracy, error = clean_accuracy(
        found.learner, make_validator(settings, data).sampler, 6, "loop"
    )
    assert accuracy == facts["validation"]["accuracy"]
    assert error == facts["validation"]["standard_error"]


def test_the_standard_error_is_of_episodes_and_one_has_none(config, tmp_path, monkeypatch):
    settings = config(validation={"every": 12, "episodes": 1})
    result, _ = run(settings, tmp_path)
    assert result.best["standard_error"] is None
    assert (tmp_path / "history.csv").read_text().splitlines()[1].split(",")[3] == ""
    data = load_dataset(settings.dataset.name, settings.dataset.options)
    learner = load_checkpoint(str(result.checkpoint)).learner
    sampler = make_validator(settings, data).sampler
    shares = [clean_accuracy(learner, sampler, n, "loop")[0] * n for n in range(1, 8)]
    each = np.diff([0.0, *shares])
    monkeypatch.setattr(validate, "BLOCK", 3)
    mean, error = clean_accuracy(learner, sampler, 7, "loop")
    assert mean == pytest.approx(each.mean())
    assert error == pytest.approx(each.std(ddof=1) / np.sqrt(7))


def test_a_run_that_diverges_says_so(config, tmp_path):
    wild = {"name": "sgd", "rate": 1e38, "schedule": "constant"}
    with pytest.raises(
        ConfigError, match=r"diverged: the loss of step \d+ is .*lower optimiser\.r"
    ):
        run(config(optimiser=wild), tmp_path)


class Watched(np.ndarray):
    """Images that remember which rows were asked for."""

    asked: ClassVar[set[int]] = set()

    def __getitem__(self, rows):
        self.asked.update(np.arange(len(self))[rows].reshape(-1).tolist())
        return np.asarray(self)[rows]


@pytest.mark.parametrize("name", ["protonet", "centroid"])
def test_meta_test_images_are_never_looked_at(config, tmp_path, monkeypatch, name):
    settings = config(**LEARNERS[name])
    data = load_dataset(settings.dataset.name, settings.dataset.options)
    images = np.array(data.images).view(Watched)
    monkeypatch.setattr(Watched, "asked", set())
    watched = dataclasses.replace(data, images=images)
    monkeypatch.setattr(loop, "load_dataset", lambda name, options: watched)
    run(settings, tmp_path)
    seen = set(data.labels[sorted(Watched.asked)].tolist())
    assert seen <= set(data.splits["train"]) | set(data.splits["val"])
    assert seen & set(data.splits["train"])
    assert seen & set(data.splits["val"])
