"""A learner is built from its specification and a seed, and from nothing else."""

import random

import numpy as np
import pytest
import torch

from metarobust.assembly.checkpoint import weights_digest
from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.backbones.catalogue import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.learners.catalogue import LEARNERS

WIDTH = {"width": 4}
both = [(name, backbone) for name in LEARNERS for backbone in BACKBONES]


@pytest.mark.parametrize(("name", "backbone"), both)
def test_the_same_seed_gives_the_same_weights_and_another_others(name, backbone):
    spec = LearnerSpec(name, backbone, (1, 16, 16), {}, WIDTH if backbone != "identity" else {})
    torch.manual_seed(1)
    one = build_learner(spec, 5)
    torch.manual_seed(2)
    same, other = build_learner(spec, 5), build_learner(spec, 6)
    assert weights_digest(one) == weights_digest(same)
    drawn = any(parameter.unique().numel() > 1 for parameter in one.parameters())
    assert (weights_digest(one) != weights_digest(other)) == drawn
    assert not one.training


def test_building_leaves_the_global_generators_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    build_learner(LearnerSpec("maml", "conv4", (1, 16, 16), {}, WIDTH))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]


def test_a_raised_version_is_another_identity(monkeypatch):
    spec = LearnerSpec("maml", "conv4", (1, 16, 16), {}, WIDTH)
    assert spec.identity() == spec.to_json()
    monkeypatch.setattr(LEARNERS["maml"], "version", 3)
    assert spec.identity() == {**spec.to_json(), "version": 3}


def test_options_reach_learner_and_backbone():
    spec = LearnerSpec("maml", "mlp", (3, 8, 8), {"ways": 4, "inner_steps": 7}, {"width": 6})
    learner = build_learner(spec)
    assert (learner.ways, learner.inner_steps) == (4, 7)
    assert learner.backbone.feature_dim == 6
    assert learner.backbone.layers[0].weight.shape == (6, 3 * 8 * 8)


def test_a_specification_replaces_options_without_touching_itself():
    spec = LearnerSpec("maml", "conv4", (1, 16, 16), {"ways": 5, "inner_steps": 1}, WIDTH)
    changed = spec.with_options({"inner_steps": 9, "norm_mode": "running"})
    assert changed.options == {"ways": 5, "inner_steps": 9, "norm_mode": "running"}
    assert spec.options == {"ways": 5, "inner_steps": 1}
    assert changed.to_json()["backbone_options"] == WIDTH


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (LearnerSpec("protonets", "conv4", (1, 16, 16)), "unknown learner 'protonets': did you"),
        (LearnerSpec("protonet", "conv5", (1, 16, 16)), "unknown backbone 'conv5': did you mean"),
        (LearnerSpec("protonet", "conv4", (8,)), r"conv4: expected images .* shape \[8\]"),
        (LearnerSpec("protonet", "conv4", (1, 16, 16), {"ways": 5}), "protonet has no option 'wa"),
        (LearnerSpec("maml", "conv4", (1, 16, 16), {"inner_steps": -1}), "inner_steps >= 0"),
        (LearnerSpec("maml", "conv4", (1, 16, 16), {"inner_steps": 2.5}), "a whole number"),
        (LearnerSpec("centroid", "conv4", (1, 16, 16), {"scale": "big"}), "expected a number"),
        (LearnerSpec("protonet", "conv4", (1, 16, 16), {"norm_mode": "x"}), "running, support"),
        (LearnerSpec("protonet", "conv4", (1, 16, 16), {}, {"width": -3}), "backbone conv4: "),
    ],
)
def test_a_specification_that_cannot_be_built_says_why(spec, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_learner(spec)
    assert "\n" not in str(caught.value)
