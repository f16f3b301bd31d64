"""Every attack of the catalogue, built from its recipe and carried out on tiny episodes."""

import numpy as np
import pytest
import torch

from metarobust.assembly.build_threat import build_threat
from metarobust.attacks.external import LIBRARIES
from metarobust.audit.cell import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.config.loading import bundled_names
from metarobust.config.recipe import Recipe
from metarobust.core.errors import ConfigError
from metarobust.data.sampler import Protocol
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

PROTOCOL = Protocol(ways=4, shots=2, queries=2, attacker_queries=2)
ATTACKS = [
    name
    for name in bundled_names("recipe")
    if load_recipe(name).eps is not None and load_recipe(name).kind.name not in LIBRARIES
]


def short(name: str, **changes) -> Recipe:
    recipe = load_recipe(name)
    steps = min(recipe.steps, 4)
    options = dict(recipe.options)
    if recipe.engine == "episode-autoattack":
        options["square_queries"] = 4
    return recipe.model_copy(update={"steps": steps, "options": options, **changes})


def outcome(threat, learner):
    episodes = [make_episode(seed, ways=4) for seed in range(2)]
    return carry_out(threat, learner, episodes, seed=0, scale=1.0), episodes


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_recipe_builds_and_keeps_its_budget(name):
    recipe = short(name)
    threat, learner = build_threat(recipe), small_learner("protonet").requires_grad_(False)
    assert threat.objection(learner, PROTOCOL) == ""
    elsewhere = [make_episode(100 + seed, ways=4) for seed in range(threat.rehearsals)]
    threat = threat.learn(learner, elsewhere, 0, 1.0)
    found, episodes = outcome(threat, learner)
    assert found.budget_used.max() <= recipe.eps * (1 + 1e-5) + 1e-6
    looks = recipe.knowledge == "white-box" and not threat.rehearsals
    assert (threat.gradient_calls(4) > 0) == looks
    touched = "support_x" if recipe.surface == "support" else "query_x"
    clean = torch.stack([getattr(episode, touched) for episode in episodes])
    assert not torch.equal(getattr(found, touched), clean)
    harmless = threat.without_budget()
    assert torch.equal(getattr(outcome(harmless, learner)[0], touched), clean)
    assert threat.seeks_radius == (recipe.engine in ("fmn", "rays"))
    assert not threat.seeks_radius or (found.radius >= 0).any()


@pytest.mark.parametrize("name", ["fmn-linf", "rays-linf", "episode-autoattack-linf"])
def test_a_search_for_the_nearest_answer_refuses_queries_that_see_each_other(name):
    threat = build_threat(short(name))
    assert "norm_mode batch" in threat.objection(
        small_learner("protonet", norm_mode="batch"), PROTOCOL
    )


@pytest.mark.parametrize("name", ["apgd-ce-linf", "apgd-t-l2", "mim-linf", "square-linf"])
def test_the_other_engines_attack_such_queries_together(name):
    learner = small_learner("protonet", norm_mode="batch").requires_grad_(False)
    threat = build_threat(short(name))
    assert threat.objection(learner, PROTOCOL) == ""
    found, _ = outcome(threat, learner)
    assert np.isfinite(found.logits.numpy()).all()


def test_a_black_box_poisons_a_learner_without_gradients():
    learner = small_learner("protonet").requires_grad_(False)
    learner.differentiable = False
    assert build_threat(short("support-square-linf")).objection(learner, PROTOCOL) == ""
    assert "black-box" in build_threat(short("support-apgd-linf")).objection(learner, PROTOCOL)


def test_the_versions_of_an_ensemble_are_those_of_its_members_too():
    versions = build_threat(short("episode-autoattack-linf")).versions()
    assert {"EpisodeAutoAttack", "APGD", "FMN", "Square"} <= set(versions)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("fmn-linf", {"loss": ("cross-entropy",)}, "climbs margin or targeted-margin, got loss"),
        ("rays-linf", {"norm": "l2"}, "bounds linf, got norm l2"),
        ("apgd-ce-linf", {"norm": "l1"}, "bounds linf or l2, got norm l1"),
        ("square-linf", {"options": {"p_init": 0}}, r"expected p_init in \(0, 1\], got 0"),
        (
            "episode-autoattack-linf",
            {"options": {"square_queries": -1}},
            "expected square_queries of 0 or more, got -1",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused_before_any_computing(name, changes, message):
    with pytest.raises(ConfigError, match=message):
        build_threat(short(name, **changes))
