"""A training from start to end: exact resumption, selection, stopping, and robustness gained."""

import csv

import pytest
import safetensors.torch
import torch

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.learner import build_learner
from metarobust.core.jsonio import read_json
from metarobust.train import loop
from metarobust.train.build import learner_spec
from metarobust.train.history import COLUMNS
from metarobust.train.schedule import iteration_costs
from tests.support.training import quadrants, training

AQ = {"name": "aq", "attack": {"eps": 0.1, "steps": 3}}
MIXED = {
    "name": "mixture",
    "parts": [
        AQ,
        {"name": "as", "attack": {"eps": 0.1, "steps": 2}},
        {"name": "r-maml", "attack": {"engine": "fgsm-rs", "eps": 0.1}, "labels": "predicted"},
        {"name": "label-noise", "fraction": 0.5},
    ],
}
EVERYTHING = {
    "objective": MIXED,
    "tasks": 3,
    "optimiser": {"rate": 1e-2, "clip": 0.5, "average": 0.9},
    "validation": {"every": 3, "episodes": 4, "attack": {"eps": 0.1, "steps": 2}},
}


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch):
    dataset = quadrants()
    monkeypatch.setattr(loop, "load_dataset", lambda name, options: dataset)


def run(config, folder, stop_at=None):
    folder.mkdir(exist_ok=True)

    def on_step(iteration, loss, row):
        if iteration == stop_at:
            raise KeyboardInterrupt

    return loop.train(config, folder, {"seed": config.seed}, on_step)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_killed_run_ends_in_the_same_bits(tmp_path, stop_at):
    config = training(**EVERYTHING)
    whole = run(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "killed", stop_at)
    resumed = run(config, tmp_path / "killed")
    assert (resumed.best, resumed.last) == (whole.best, whole.last)
    for name in ("tiny.safetensors", "tiny.json", "history.csv", "curve.svg"):
        found = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "killed")]
        assert found[0] == found[1], name
    states = [
        safetensors.torch.load_file(tmp_path / folder / "state.safetensors")
        for folder in ("whole", "killed")
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_the_average_is_what_is_saved(tmp_path):
    run(training(**EVERYTHING), tmp_path / "run")
    state = safetensors.torch.load_file(tmp_path / "run" / "state.safetensors")
    saved = safetensors.torch.load_file(tmp_path / "run" / "tiny.safetensors")
    last = read_json(tmp_path / "run" / "tiny.json")["validation"]["iteration"] == 6
    for key, value in saved.items():
        assert not last or torch.equal(value, state[f"average/{key}"])
    assert any(not torch.equal(state[f"module/{key}"], state[f"average/{key}"]) for key in saved)


def test_an_empty_ball_trains_the_same_weights_as_clean(tmp_path):
    run(training(), tmp_path / "clean")
    clean = (tmp_path / "clean" / "tiny.safetensors").read_bytes()
    for name in ("aq", "as"):
        empty = {"name": name, "attack": {"eps": 0, "steps": 2}}
        run(training(objective=empty), tmp_path / name)
        assert (tmp_path / name / "tiny.safetensors").read_bytes() == clean


def test_history_and_sidecar_say_what_was_spent_and_met(tmp_path):
    config = training(objective=AQ, validation=EVERYTHING["validation"] | {"select": "robust"})
    result = run(config, tmp_path / "run")
    cost = iteration_costs(config)
    assert result.last["gradient_evaluations"] == sum(map(cost, range(6))) == 6 * 2 * 4
    with (tmp_path / "run" / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["iteration"] for row in rows] == ["3", "6"]
    assert tuple(rows[0]) == COLUMNS
    facts = load_checkpoint(str(tmp_path / "run" / "tiny.safetensors")).facts
    assert facts["training"]["threat"] == "aq pgd-linf eps=0.1 steps=3"
    assert facts["validation"]["attack"] == "pgd-linf eps=0.1 steps=2"
    assert facts["validation"]["robust_accuracy"] == max(
        float(row["robust_accuracy"]) for row in rows
    )
    assert "under attack" in (tmp_path / "run" / "curve.svg").read_text()


def test_patience_stops_a_run_and_a_resumption_does_not_go_on(tmp_path):
    # A rate of nearly zero changes no prediction, so that no validation beats the first.
    config = training(
        iterations=50,
        optimiser={"rate": 1e-12},
        validation={"every": 2, "episodes": 3, "patience": 3},
    )
    first = run(config, tmp_path / "run")
    assert (first.best["iteration"], first.last["iteration"]) == (2, 8)
    assert run(config, tmp_path / "run").last == first.last


def test_adversarial_training_resists_where_clean_training_does_not(tmp_path):
    attack = {"eps": 0.05, "steps": 3, "step_size": 0.5}
    shared = {
        "learner": {"name": "protonet", "backbone": {"name": "mlp", "width": 32, "depth": 1}},
        "iterations": 100,
        "tasks": 1,
        "protocol": {"ways": 4, "shots": 3, "queries": 3},
        "validation": {"every": 100, "episodes": 20, "attack": {"eps": 0.05, "steps": 10}},
    }
    clean = run(training(**shared), tmp_path / "clean").last
    aq = {"name": "aq", "attack": attack}
    robust = run(training(**shared, objective=aq), tmp_path / "robust").last
    assert min(clean["accuracy"], robust["accuracy"]) > 0.9
    assert robust["robust_accuracy"] > clean["robust_accuracy"] + 0.3


def test_a_learner_starts_from_the_weights_of_its_seed(tmp_path):
    config = training(optimiser={"rate": 1e-12, "average": 0.9}, iterations=1)
    run(config, tmp_path / "run")
    start = build_learner(learner_spec(config, quadrants()), config.seed)
    saved = safetensors.torch.load_file(tmp_path / "run" / "tiny.safetensors")
    for key, value in start.named_parameters():
        torch.testing.assert_close(saved[key], value.detach(), rtol=0, atol=1e-8)
