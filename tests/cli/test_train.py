"""`metarobust train` from the command line."""

import json

import numpy as np
import pytest

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.config.yaml import parse_yaml
from metarobust.train.validate import Validator
from tests.support.tiny_project import write_yaml


@pytest.fixture
def train(cli, tiny, tmp_path):
    def run(*options, **changes):
        write_yaml(tmp_path / "train.yaml", tiny.training(iterations=4, **changes))
        return cli("train", "train.yaml", *options)

    return run


def test_a_training_leaves_a_checkpoint_that_an_audit_takes(train, cli, tiny, tmp_path, files):
    ended = train()
    assert (ended.code, ended.out) == (0, "")
    assert "step 4: loss " in ended.err
    assert "best meta-val accuracy 0." in ended.err
    names = ("config.yaml", "curve.svg", "history.csv", "history.json", "state.safetensors")
    assert {f"runs/tiny/{name}" for name in (*names, "tiny.safetensors", "tiny.json")} <= files()
    sidecar = load_checkpoint(str(tmp_path / "runs" / "tiny" / "tiny.safetensors")).facts
    assert sidecar["command"] == ["metarobust", "train", "train.yaml"]
    write_yaml(tmp_path / "audit.yaml", tiny.audit(learners=["runs/tiny/tiny.safetensors"]))
    assert cli("audit", "audit.yaml", "--episodes", 2, "--out", "audited").code == 0


@pytest.mark.parametrize("name", ["mamlpp", "metasgd"])
def test_learned_rates_are_shown(train, cli, name):
    backbone = {"name": "mlp", "width": 8, "depth": 1}
    ended = train(learner={"name": name, "backbone": backbone, "ways": 3, "inner_rate": 0.3})
    assert ended.code == 0, ended.err
    shown = json.loads(cli("show", "checkpoint", "runs/tiny/tiny.safetensors").out)
    rates = shown["learned"]["rates"]
    learner = load_checkpoint("runs/tiny/tiny.safetensors").learner
    moved = [key for key, _ in learner.named_parameters() if not key.startswith("rates")]
    assert sorted(rates) == sorted(moved)
    for place, key in enumerate(moved):
        if name == "mamlpp":
            expected = learner.rates[:, place].tolist()
        else:
            expected = np.quantile(learner.rates[place].detach().numpy(), [0.25, 0.5, 0.75])
        assert rates[key] == pytest.approx(expected, rel=1e-5)
    learned = [rate for values in rates.values() for rate in values]
    assert any(abs(rate - 0.3) > 1e-3 for rate in learned), "meta-parameters are trained"


def test_catastrophic_overfitting_is_said_and_kept(train, monkeypatch, tmp_path):
    row = {"accuracy": 0.9, "one_step_accuracy": 0.8, "robust_accuracy": 0.02}
    errors = dict.fromkeys(
        ("standard_error", "robust_standard_error", "one_step_standard_error"), 0.01
    )
    monkeypatch.setattr(Validator, "measure", lambda self, learner, backend: {**row, **errors})
    attack = {"eps": 0.1, "steps": 10}
    ended = train(
        objective={"name": "aq", "attack": {"engine": "fgsm", "eps": 0.1}},
        validation={"every": 4, "episodes": 2, "attack": attack},
    )
    assert ended.code == 0, ended.err
    assert "warning: catastrophic overfitting" in ended.err
    assert "catastrophic overfitting" in (tmp_path / "runs" / "tiny" / "history.csv").read_text()


def test_json_says_where_and_how_well(train):
    ended = train("--json", "--out", "here")
    found = json.loads(ended.out)
    assert ended.code == 0
    assert found["checkpoint"] == "here/tiny.safetensors"
    assert found["best"]["iteration"] == 4


def test_a_printed_configuration_is_that_configuration(train, cli, tmp_path, files):
    ended = train("--print-config", "--set", "optimiser.rate=1/3")
    assert (ended.code, ended.err) == (0, "")
    (tmp_path / "printed.yaml").write_text(ended.out)
    assert cli("train", "printed.yaml", "--print-config").out == ended.out
    data = json.loads(cli("train", "printed.yaml", "--print-config", "--json").out)
    assert data == parse_yaml(ended.out, "printed").value
    assert not [name for name in files() if name.startswith("runs")]


def test_another_experiment_leaves_the_folder_alone(train, tmp_path):
    assert train().code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "runs" / "tiny").iterdir()}
    ended = train("--set", "seed=5")
    assert (ended.code, ended.out) == (2, "")
    assert "belongs to another experiment" in ended.err
    assert {p: p.read_bytes() for p in (tmp_path / "runs" / "tiny").iterdir()} == before


def test_one_validation_episode_has_no_error_bar(train):
    ended = train(validation={"every": 4, "episodes": 1})
    assert ended.code == 0
    line = next(line for line in ended.err.splitlines() if line.startswith("step 4: "))
    assert "meta-val accuracy" in line
    assert "±" not in line


def test_an_output_that_cannot_be_written_is_one_message(train, tmp_path):
    (tmp_path / "file").touch()
    ended = train("--out", "file/run")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: file/run: Not a directory\n"
