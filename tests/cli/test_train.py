"""`metarobust train` from the command line."""

import json

import pytest

from metarobust.assembly.checkpoint import load_checkpoint
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
