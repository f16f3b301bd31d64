"""A transferred attack sees its surrogate alone, and is judged on a learner it never asked."""

from dataclasses import replace

import pytest
import torch

from metarobust.assembly.attack_threats import QueryAttack
from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.checkpoint import Checkpoint, weights_digest
from metarobust.assembly.learner import LearnerSpec
from metarobust.assembly.transfer import TransferAttack
from metarobust.attacks.mim import MIM
from metarobust.audit.carry_out import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.core.errors import CheckpointError, ConfigError
from metarobust.data.sampler import Protocol
from metarobust.threats.budget import Budget
from metarobust.threats.scale import task_scale
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

SHAPE = (1, 16, 16)
BUDGET = Budget("linf", 0.1, steps=5)


def checkpoint(name):
    learner = small_learner(name).requires_grad_(False)
    spec = LearnerSpec(name, "conv4", SHAPE, {}, {})
    return Checkpoint(learner, spec, weights_digest(learner), {})


def transfer(name):
    return TransferAttack(QueryAttack(MIM(), BUDGET), checkpoint(name))


def test_a_surrogate_that_is_the_audited_learner_is_the_white_box_attack():
    episode, surrogate = make_episode(), checkpoint("protonet")
    scale = float(
        task_scale(
            surrogate.learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)
        )
    )
    white = carry_out(QueryAttack(MIM(), BUDGET), surrogate.learner, [episode], 0, scale)
    black = carry_out(transfer("protonet"), surrogate.learner, [episode], 0, 77.0)
    torch.testing.assert_close(black.query_x, white.query_x)
    torch.testing.assert_close(black.logits, white.logits)


def test_the_audited_learner_decides_nothing_but_the_judgement():
    episode, threat = make_episode(), transfer("centroid")
    one, other = (
        carry_out(threat, small_learner(name).requires_grad_(False), [episode], 0, 1.0)
        for name in ("protonet", "maml")
    )
    assert torch.equal(one.query_x, other.query_x)
    assert not torch.equal(one.logits, other.logits)
    assert threat.gradient_calls(3) == 0


def test_the_surrogates_weights_and_options_are_part_of_the_key():
    threat = transfer("centroid")
    other = replace(threat, surrogate=replace(threat.surrogate, weights="0" * 64))
    assert other.versions() != threat.versions()
    assert transfer("protonet").versions() != threat.versions()


def test_a_surrogate_that_does_not_fit_is_refused_before_computing():
    threat = build_threat(load_recipe("transfer-linf"))
    assert threat.misfit((1, 28, 28)) == ""
    assert "its surrogate takes inputs of shape [1, 28, 28], got [3, 32, 32]" in threat.misfit(
        (3, 32, 32)
    )
    objection = transfer("maml").objection(small_learner("protonet"), Protocol(ways=5))
    assert "its surrogate: its head is for 3 ways, got an episode of 5" in objection


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "needs options.surrogate"),
        ({"surrogate": 3}, ConfigError, "needs options.surrogate"),
        ({"surrogate": "protonet-glyps"}, CheckpointError, "protonet-glyphs"),
        ({"surrogate": "centroid-glyphs", "engine": "mimm"}, ConfigError, "did you mean 'mim'"),
        ({"surrogate": "centroid-glyphs", "decy": 1}, ConfigError, "did you mean 'decay'"),
    ],
)
def test_mistaken_options_are_refused(options, error, message):
    recipe = load_recipe("transfer-linf").model_copy(update={"options": options})
    with pytest.raises(error, match=message):
        build_threat(recipe)


def test_the_label_names_the_surrogate():
    assert load_recipe("transfer-linf").label == (
        "transfer-linf eps=8/255 steps=20 from=centroid-glyphs"
    )
