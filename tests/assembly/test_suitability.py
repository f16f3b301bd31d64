"""What does not go together is refused before anything is computed, with what to do."""

import re

import pytest

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.suitability import (
    learner_objection,
    task_objection,
    threat_objection,
)
from metarobust.backbones.identity import Identity
from metarobust.config.catalogue import load_recipe
from metarobust.config.recipe import Recipe
from metarobust.data.functions import sinusoid
from metarobust.data.sampler import Protocol
from metarobust.learners.maml import MAML
from metarobust.learners.protonet import ProtoNet
from metarobust.learners.ridge import Ridge
from metarobust.learners.trimmed import Trimmed
from tests.support.pattern_set import pattern_set

FUNCTIONS = sinusoid(functions=[3, 3, 3], points=10)
IMAGES, VECTORS = pattern_set(), pattern_set(shape=(16,))


def objection(name, dataset, **changes):
    changed = Recipe(**{**load_recipe(name).model_dump(), **changes})
    return threat_objection(build_threat(changed), dataset)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("pgd-linf", {}, "cross-entropy and margin compare classes.*set loss: squared-error"),
        ("apgd-dlr-linf", {}, "dlr compare classes"),
        ("label-flip", {}, "no classes, which this threat needs"),
        ("torchattacks-pgd", {}, "no classes, which this threat needs"),
        ("fmn-linf", {}, "change of the predicted class"),
        ("rays-linf", {}, "change of the predicted class"),
        ("episode-autoattack-linf", {}, "change of the predicted class"),
        ("gaussian-noise", {}, "corruptions are of images"),
        ("pgd-linf", {"loss": "squared-error", "targets": "shifted"}, "no wrong class"),
        (
            "support-pgd-linf",
            {"loss": "squared-error", "class_fraction": 0.5},
            "set shot_fraction instead",
        ),
    ],
)
def test_threats_that_need_classes_are_refused_on_a_regression(name, changes, message):
    assert re.search(message, objection(name, FUNCTIONS, **changes))


@pytest.mark.parametrize("name", ["noise-linf", "support-noise-linf"])
def test_noise_goes_with_everything(name):
    assert [objection(name, data) for data in (FUNCTIONS, IMAGES, VECTORS)] == ["", "", ""]


@pytest.mark.parametrize("name", ["pgd-linf", "fgsm-linf", "mim-linf", "support-pgd-linf"])
def test_attacks_that_climb_the_squared_error_are_for_regressions(name):
    assert objection(name, FUNCTIONS, loss="squared-error") == ""
    assert "is the loss of a regression" in objection(name, IMAGES, loss="squared-error")
    assert [objection(name, data) for data in (IMAGES, VECTORS)] == ["", ""]


def test_learners_that_only_classify_are_refused_a_regression_and_the_other_way_round():
    backbone = Identity((1,))
    refused = task_objection(ProtoNet(backbone), FUNCTIONS)
    assert "sinusoid is a regression, ProtoNet as configured does classification" in refused
    assert "ways: 1" in task_objection(MAML(backbone), FUNCTIONS)
    assert task_objection(MAML(backbone, ways=1), FUNCTIONS) == ""
    assert "does regression" in task_objection(MAML(backbone, ways=1), VECTORS)
    assert [task_objection(Ridge(backbone), data) for data in (FUNCTIONS, VECTORS)] == ["", ""]


@pytest.mark.parametrize(
    ("trim", "shots", "advice"),
    [
        (1, 1, "shots to at least 3, or the learner's trim to 0"),
        (1, 2, "shots to at least 3, or the learner's trim to 0"),
        (2, 4, "shots to at least 5, or the learner's trim to 1"),
        (1, 3, None),
        (0, 1, None),
    ],
)
def test_a_trimmed_mean_needs_something_to_trim(trim, shots, advice):
    learner = Trimmed(Identity((16,)), trim=trim)
    objection = learner_objection(learner, VECTORS, Protocol(shots=shots))
    assert objection.endswith(advice) if advice else objection == ""


def test_a_head_is_for_its_ways():
    learner = MAML(Identity((16,)), ways=5)
    assert learner_objection(learner, VECTORS, Protocol(ways=5)) == ""
    refused = learner_objection(learner, VECTORS, Protocol(ways=3))
    assert refused == "its head is for 5 ways, got an episode of 3; use --set protocol.ways=5"
