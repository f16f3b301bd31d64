"""From a training configuration to its parts."""

import math

import pytest
import torch

from metarobust.config.train import OptimiserConfig, TrainConfig
from metarobust.core.errors import ConfigError
from metarobust.train.build import (
    learner_spec,
    make_optimiser,
    make_stream,
    make_validator,
)
from metarobust.train.classification import Classification
from metarobust.train.schedule import rate_at
from metarobust.train.stream import Episodic
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set


@pytest.fixture
def config(tiny):
    return lambda **changes: TrainConfig.model_validate(tiny.training(**changes))


def test_the_specification_is_the_configurations(config):
    learner = {
        "name": "maml",
        "backbone": {"name": "conv4", "width": 4},
        "norm_mode": "running",
        "ways": 3,
    }
    spec = learner_spec(config(learner=learner), pattern_set())
    assert (spec.name, spec.backbone, spec.input_shape) == ("maml", "conv4", (1, 16, 16))
    assert spec.options == {"ways": 3, "norm_mode": "running"}
    assert spec.backbone_options == {"width": 4}
    assert "norm_mode" not in learner_spec(config(), pattern_set()).options


def test_the_stream_is_the_configurations(config):
    learner = small_learner("centroid")
    assert isinstance(make_stream(config(), learner, pattern_set()), Episodic)
    classify = make_stream(config(objective="classification"), learner, pattern_set())
    assert isinstance(classify, Classification)


def test_a_divergence_suits_every_classifier_those_that_can_regress_too(config):
    trades = {"name": "r-maml", "term": "kl", "attack": {"eps": 0.1}}
    stream = make_stream(config(objective=trades), small_learner("ridge"), pattern_set())
    (objective,) = stream.mixture.objectives
    assert objective.threat.budget.losses == ("kl",)


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": {"ways": 3, "shots": 2, "queries": 2}},
        {
            "protocol": {"ways": 3, "shots": 3, "queries": 2},
            "validation": {
                "every": 4,
                "episodes": 6,
                "protocol": {"ways": 3, "shots": 2, "queries": 2},
            },
        },
    ],
)
def test_episodes_a_learner_cannot_learn_are_refused_before_training(config, changes):
    changed = config(learner={"name": "trimmed", "backbone": "mlp"}, **changes)
    with pytest.raises(ConfigError, match=r"^learner trimmed: .* got 2 shots"):
        make_stream(changed, small_learner("trimmed"), pattern_set())


def test_validation_is_of_meta_val_classes_and_of_another_stream(config):
    data = pattern_set()
    sampler = make_validator(config(), data).sampler
    assert sampler.protocol.split == "val"
    assert sampler.protocol.ways == 3
    assert set(sampler[0].class_ids.tolist()) <= set(data.splits["val"])
    own = {"every": 4, "episodes": 6, "protocol": {"ways": 2, "shots": 1, "queries": 3}}
    changed = make_validator(config(validation=own), data).sampler.protocol
    assert (changed.ways, changed.shots, changed.queries, changed.split) == (2, 1, 3, "val")


def test_the_optimiser_moves_what_is_trainable():
    module = torch.nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    adam = make_optimiser(OptimiserConfig(name="adam", rate=0.1, weight_decay=0.2), module)
    sgd = make_optimiser(OptimiserConfig(name="sgd", rate=0.1), module)
    assert isinstance(adam, torch.optim.Adam)
    assert isinstance(sgd, torch.optim.SGD)
    assert [len(group["params"]) for group in adam.param_groups] == [1]
    assert adam.param_groups[0]["weight_decay"] == 0.2


def test_the_rate_is_constant_or_half_a_cosine():
    constant = OptimiserConfig(rate=0.5, schedule="constant")
    assert {rate_at(constant, i, 10) for i in range(10)} == {0.5}
    cosine = OptimiserConfig(rate=0.5, schedule="cosine")
    found = [rate_at(cosine, i, 8) for i in range(9)]
    assert found == pytest.approx([0.25 * (1 + math.cos(math.pi * i / 8)) for i in range(9)])
    assert (found[0], found[4]) == pytest.approx((0.5, 0.25))
