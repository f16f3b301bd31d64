"""Embeddings end to end: train, audit, and a report that says there are no pictures."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    path = tmp_path_factory.mktemp("embeddings") / "digits.npz"
    digits = load_digits()
    splits = np.array(["train"] * 4 + ["val"] * 3 + ["test"] * 3)
    np.savez(path, features=digits.data, labels=digits.target, splits=splits)
    return path


@pytest.fixture(scope="module")
def settings(embeddings):
    return ["--set", f"dataset.file={embeddings}", "--set", "device=cpu"]


def test_embeddings_are_trained_on_audited_and_reported(cli, settings, tmp_path):
    small = ["protocol.ways=3", "iterations=10", "validation.every=5", "validation.episodes=4"]
    changes = [word for change in small for word in ("--set", change)]
    ended = cli("train", "protonet-vectors", "--out", str(tmp_path / "t"), *settings, *changes)
    assert ended.code == 0, ended.err
    checkpoint = tmp_path / "t" / "protonet-vectors.safetensors"
    small = ["protocol.ways=3", "episodes=2", "block=2", "workers=1"]
    changes = [word for change in small for word in ("--set", change)]
    ended = cli(
        *("audit", "vectors", "--out", str(tmp_path / "a"), *settings, *changes),
        *("--set", f"learners.0.checkpoint={checkpoint}"),
    )
    assert ended.code == 0, ended.err
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert {cell["status"] for cell in summary["cells"]} <= {"ok", "suspect"}
    assert "none are shown" in summary["protocol"]["Inputs"]
    assert "in the units of the file" in summary["protocol"]["Inputs"]
    assert "none are shown" in (tmp_path / "a" / "report.html").read_text()


@pytest.mark.parametrize(
    ("threat", "why"),
    [("gaussian-noise", "corruptions are of images"), ("square-linf", "square patches are of im")],
)
def test_threats_of_images_are_refused_before_anything_is_computed(
    cli, settings, tmp_path, threat, why
):
    from metarobust.assembly.checkpoint import save_checkpoint
    from metarobust.assembly.learner import LearnerSpec, build_learner

    spec = LearnerSpec("ridge", "identity", (64,))
    save_checkpoint(tmp_path / "ridge.safetensors", build_learner(spec), spec, {})
    ended = cli(
        *("audit", "vectors", "--out", str(tmp_path / "a"), *settings),
        *("--set", f"learners.0.checkpoint={tmp_path / 'ridge.safetensors'}"),
        *("--set", f"threats=[{threat}]", "--set", "protocol.ways=3"),
    )
    assert ended.code == 2
    assert why in ended.err
    assert not (tmp_path / "a").exists()


def test_a_learner_without_parameters_has_nothing_to_train(cli, settings, tmp_path):
    ended = cli(
        *("train", "protonet-vectors", "--out", str(tmp_path / "t"), *settings),
        *("--set", "learner={name: protonet, backbone: identity}", "--set", "protocol.ways=3"),
    )
    assert ended.code == 2
    assert "has nothing to train" in ended.err
