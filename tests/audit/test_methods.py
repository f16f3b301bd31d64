"""Seeds of one training are one method, and what was trained without episodes is a yardstick."""

import pytest

from metarobust.assembly.checkpoint import save_checkpoint
from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.audit.methods import is_yardstick
from metarobust.audit.plan import make_plan
from metarobust.config.audit import AuditConfig
from tests.support.tiny_project import SHAPE
from tests.support.tiny_project import _own_cache as _own_cache
from tests.support.tiny_project import tiny as tiny

TRAINING = {"iterations": 9, "optimiser": {"rate": 0.1}}


@pytest.fixture(scope="module")
def learners(tiny, tmp_path_factory):
    """What the plan says of learners that were trained in various ways."""
    folder = tmp_path_factory.mktemp("seeds")
    ways = {
        "first": {"seed": 0, "training": {"config": {**TRAINING, "name": "a", "seed": 0}}},
        "second": {"seed": 1, "training": {"config": {**TRAINING, "name": "b", "seed": 1}}},
        "longer": {"seed": 2, "training": {"config": {**TRAINING, "iterations": 99, "seed": 2}}},
        "silent": {},
        "ordinary": {"training": {"objective": "classification", "threat": "none"}},
    }
    spec = LearnerSpec("protonet", "mlp", SHAPE, {}, {"width": 8, "depth": 1})
    for seed, (name, facts) in enumerate(ways.items()):
        path = folder / f"{name}.safetensors"
        save_checkpoint(path, build_learner(spec, seed), spec, facts)
    paths = [str(folder / f"{name}.safetensors") for name in ways]
    config = AuditConfig.model_validate(tiny.audit(learners=paths, threats=[]))
    cells = make_plan(config, episodes=None).cells
    return {c.description["learner"]["label"]: c.description["learner"] for c in cells}


def test_seed_name_and_device_make_no_other_method(learners):
    assert learners["first"]["method"] == learners["second"]["method"] is not None
    assert [learners[x]["training_seed"] for x in ("first", "second")] == [0, 1]


def test_any_other_setting_does(learners):
    assert learners["longer"]["method"] != learners["first"]["method"]


def test_a_checkpoint_may_not_know_how_it_was_trained(learners):
    assert (learners["silent"]["method"], learners["silent"]["training_seed"]) == (None, None)


def test_a_learner_says_its_family_and_how_it_was_trained(learners):
    assert {facts["family"] for facts in learners.values()} == {"metric"}
    assert learners["silent"]["objective"] is None
    assert [x for x, facts in learners.items() if is_yardstick(facts)] == ["ordinary"]


@pytest.mark.parametrize(
    ("learner", "expected"),
    [
        ({"name": "centroid", "family": "transfer", "objective": "classification"}, True),
        ({"name": "centroid", "family": "transfer", "objective": "aq"}, False),
        ({"name": "centroid", "family": "transfer", "objective": "episodic"}, False),
        ({"name": "protonet", "family": "metric", "objective": "classification"}, True),
        ({"name": "plug-in", "family": "transfer", "objective": None}, True),
        ({"name": "plug-in", "family": "transfer", "training": "pgd-linf"}, False),
        ({"name": "plug-in", "family": "other", "objective": None}, False),
        ({"name": "centroid", "family": "metric", "objective": None}, False),
    ],
)
def test_who_was_trained_without_episodes_is_a_yardstick(learner, expected):
    assert is_yardstick(learner) is expected


@pytest.mark.parametrize(
    ("name", "training", "expected"),
    [
        ("centroid", "none", True),
        ("finetune", {"threat": "none"}, True),
        ("multitask", "unknown", True),
        ("centroid", "pgd-linf eps=0.1 steps=7", False),
        ("protonet", "none", False),
    ],
)
def test_runs_that_do_not_say_the_family_are_known_by_name(name, training, expected):
    assert is_yardstick({"name": name, "training": training}) is expected
