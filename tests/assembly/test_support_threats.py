"""Threats on the support set against oracles: enumeration, finite differences, disjoint images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metarobust.assembly.attack_threats import SupportAttack
from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.support_swap import SupportSwap
from metarobust.assembly.threat import Outcome, adapter
from metarobust.attacks.pgd import PGD
from metarobust.audit.cell import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.core.episode import Episode
from metarobust.core.errors import MetarobustError
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.threats.budget import Budget
from metarobust.threats.losses import cross_entropy
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set

PROTOCOL = Protocol(ways=3, shots=2, queries=2, attacker_queries=2)
DATA = pattern_set(noise=0.3)


def threat(name: str, protocol=PROTOCOL, data=DATA, **changes):
    recipe = load_recipe(name)
    options = {**recipe.options, **changes.pop("options", {})}
    recipe = recipe.model_copy(update={**changes, "options": options})
    return build_threat(recipe).with_data(data, protocol)


def run(live, learner, episodes) -> Outcome:
    return carry_out(live, learner.requires_grad_(False), episodes, seed=0, scale=1.0)


def episodes(count=3) -> list[Episode]:
    sampler = EpisodeSampler(DATA, PROTOCOL, 0)
    return [sampler[number] for number in range(count)]


@pytest.mark.parametrize("name", ["protonet", "maml", "ridge"])
def test_a_step_of_poisoning_is_along_finite_differences(name):
    """One l2 step from the clean point moves every image along its own numerical gradient."""
    learner = small_learner(name).double().requires_grad_(False)
    episode = make_episode(0, dtype=torch.float64)
    # Away from the walls of [0, 1], at which a step would be cut.
    episode = episode._replace(support_x=0.3 + 0.4 * episode.support_x)
    budget = Budget("l2", eps=1e-3, steps=1, step_size=1.0, losses=("cross-entropy",))
    live = SupportAttack(PGD(random_start=False), budget)
    prepared = live.prepare(episode, 0)
    found = live.search(adapter(learner, episode), prepared, scale=1.0)
    step = (found.support_x - episode.support_x) / budget.eps
    assert step.flatten(1).norm(dim=1) == pytest.approx(1.0, rel=1e-6)

    def loss(x):
        logits = adapter(learner, episode)(x)(episode.attacker_x)
        return float(cross_entropy(logits, episode.attacker_y).mean().detach())

    source = torch.Generator().manual_seed(1)
    for image in range(len(step)):
        direction = torch.zeros_like(step)
        direction[image] = step[image]
        along = slope(loss, episode.support_x, direction)
        assert along > 0
        for _ in range(3):
            sideways = torch.zeros_like(step)
            drawn = torch.randn(step.shape[1:], generator=source, dtype=step.dtype)
            drawn = drawn - (drawn * step[image]).sum() * step[image]
            sideways[image] = drawn / drawn.norm()
            assert abs(slope(loss, episode.support_x, sideways)) < 1e-3 * along + 1e-9


def slope(loss, x, direction, width=1e-6):
    return (loss(x + width * direction) - loss(x - width * direction)) / (2 * width)


@pytest.mark.parametrize("name", ["protonet", "maml"])
def test_the_first_worst_flip_is_the_worst_of_all_flips(name):
    learner = small_learner(name).requires_grad_(False)
    images = PROTOCOL.ways * PROTOCOL.shots
    found = run(threat("label-flip-worst", fraction=1 / images), learner, episodes())
    for e, episode in enumerate(episodes()):
        losses = {}
        for slot in range(images):
            for label in range(PROTOCOL.ways):
                labels = episode.support_y.clone()
                labels[slot] = label
                logits = learner(episode.support_x, labels, episode.attacker_x, episode.ways)
                losses[tuple(labels.tolist())] = float(
                    cross_entropy(logits.detach(), episode.attacker_y).mean()
                )
        assert losses[tuple(found.support_y[e].tolist())] == max(losses.values())
        assert found.objective_end[e] == pytest.approx(max(losses.values()), rel=1e-6)


def test_the_worst_natural_support_set_is_of_unused_images_of_the_right_class():
    learner, some = small_learner("protonet"), episodes()
    live = threat("support-natural-worst", options={"candidates": 4})
    found, clean = run(live, learner, some), run(Clean(), learner, some)
    known = {image.tobytes(): row for row, image in enumerate(DATA.images)}
    pixels = (found.support_x * 255).round().to(torch.uint8).numpy()
    for e, episode in enumerate(some):
        rows = [known[image.tobytes()] for image in pixels[e]]
        assert len(set(rows)) == len(rows)
        assert DATA.labels[rows].tolist() == episode.class_ids[episode.support_y].tolist()
        asked = {*episode.query_ids.tolist(), *episode.attacker_ids.tolist()}
        assert not asked & set(rows)
        with torch.no_grad():
            logits = learner(episode.support_x, episode.support_y, episode.attacker_x, episode.ways)
        before = (logits.argmax(1) == episode.attacker_y).float().mean()
        assert found.attacker_correct[e] <= before
    assert (found.changed > 0).any()
    lucky = run(threat("support-natural-worst", options={"goal": "best"}), learner, some)
    assert (lucky.attacker_correct >= found.attacker_correct).all()
    assert clean.logits.shape == found.logits.shape


def test_outliers_are_of_no_class_of_the_episode_and_every_class_keeps_its_shots():
    found = run(
        threat("support-replace-outlier", fraction=0.5), small_learner("protonet"), episodes()
    )
    known = {image.tobytes(): row for row, image in enumerate(DATA.images)}
    pixels = (found.support_x * 255).round().to(torch.uint8).numpy()
    for e, episode in enumerate(episodes()):
        assert torch.equal(found.support_y[e], episode.support_y)
        classes = np.array([DATA.labels[known[image.tobytes()]] for image in pixels[e]])
        own = classes == episode.class_ids[episode.support_y].numpy()
        assert own.tolist().count(False) == PROTOCOL.ways  # one of two shots of each class
        assert not set(classes[~own]) & set(episode.class_ids.tolist())
        assert set(classes) <= set(DATA.splits["test"])


def test_a_swap_is_the_query_attack_on_the_attackers_queries():
    learner, (episode, *_) = small_learner("maml"), episodes()
    live = threat("support-swap-linf", eps=0.1, steps=3)
    found = run(live, learner, [episode])
    asked = episode._replace(query_x=episode.attacker_x, query_y=episode.attacker_y)
    assert isinstance(live, SupportSwap)
    as_queries = run(live.attack, learner, [asked])
    assert torch.equal(found.support_x, as_queries.query_x)
    assert torch.equal(found.support_y[0], episode.attacker_y)


def test_a_joint_attack_poisons_as_the_support_attack_alone_does():
    learner, some = small_learner("maml"), episodes(2)
    budget = {"eps": 0.1, "steps": 3, "step_size": 0.5}
    joint = run(threat("joint-pgd-linf", **budget), learner, some)
    alone = run(threat("support-pgd-linf", **budget), learner, some)
    assert torch.equal(joint.support_x, alone.support_x)
    right = [
        (o.logits.argmax(-1) == torch.stack([e.query_y for e in some])) for o in (joint, alone)
    ]
    assert not (right[0] & ~right[1]).any(), "the poisoned classifier's clean answers compete"


class TestBackdoor:
    def test_dirty_labels_are_the_target_and_bear_the_trigger(self):
        live = threat("backdoor-dirty", fraction=0.5, options={"target": 1})
        found, some = run(live, small_learner("protonet"), episodes()), episodes()
        for e, episode in enumerate(some):
            stamped = (found.support_x[e] != episode.support_x).flatten(1).any(1)
            assert int(stamped.sum()) == 3
            assert (found.support_y[e][stamped] == 1).all()
            assert (episode.support_y[stamped] != 1).all()
            assert torch.equal(found.support_y[e][~stamped], episode.support_y[~stamped])
        assert (found.backdoor_target == 1).all()

    def test_clean_labels_stay_and_only_the_target_class_bears_the_trigger(self):
        found, some = (
            run(threat("backdoor-clean"), small_learner("protonet"), episodes()),
            episodes(),
        )
        for e, episode in enumerate(some):
            stamped = (found.support_x[e] != episode.support_x).flatten(1).any(1)
            assert torch.equal(found.support_y[e], episode.support_y)
            assert torch.equal(stamped, episode.support_y == found.backdoor_target[e])
        targets = {int(threat("backdoor-clean").prepare(e, 0).draws[0]) for e in episodes(12)}
        assert targets == {0, 1, 2}

    def test_a_fraction_of_zero_leaves_the_trigger_alone(self):
        learner = small_learner("protonet")
        found = run(threat("backdoor-dirty").without_budget(), learner, episodes())
        assert torch.equal(found.backdoor_prediction, found.trigger_prediction)
        assert torch.equal(found.logits, run(Clean(), learner, episodes()).logits)

    def test_a_learner_that_sees_the_patch_alone_is_led_everywhere(self):
        """Blank images: the trigger is all there is, and the success is complete."""
        learner = small_learner("protonet")
        blank = [
            e._replace(support_x=0 * e.support_x + 0.2, query_x=0 * e.query_x + 0.2)
            for e in episodes()
        ]
        found = run(threat("backdoor-clean", options={"target": 2}), learner, blank)
        assert (found.backdoor_prediction == 2).all()


def test_support_and_queries_get_different_corruptions():
    live = threat("mismatched-corruption", options={"query_corruption": "contrast"})
    alone = [
        threat("gaussian-noise", surface="support"),
        threat("contrast", surface="query", severity=3),
    ]
    learner = small_learner("protonet")
    found, support, query = (run(each, learner, episodes()) for each in (live, *alone))
    assert torch.equal(found.support_x, support.support_x)
    assert torch.equal(found.query_x, query.query_x)
    drawn = threat("mismatched-corruption")
    others = [drawn.prepare(e, 0).episode.query_x for e in episodes(4)]
    same = threat("gaussian-noise", surface="both")
    assert all(
        not torch.equal(x, same.prepare(e, 0).episode.query_x)
        for x, e in zip(others, episodes(4), strict=True)
    )


ONE_SHOT = replace(PROTOCOL, shots=1)


@pytest.mark.parametrize(
    ("name", "changes", "where", "message"),
    [
        ("support-outlier", {}, {}, r"expected images of shape \[1, 16, 16\].*\[1, 28, 28\]"),
        ("support-outlier", {"options": {"dataset": "digitz"}}, {}, "did you mean 'digits'"),
        (
            "support-replace-outlier",
            {},
            {"protocol": replace(PROTOCOL, ways=6)},
            "all 6 classes of meta-test are in every episode",
        ),
        (
            "support-natural-worst",
            {"options": {"candidates": 5}},
            {},
            "5 images of each class beyond an episode's own 6 are needed, .* has 10 in all",
        ),
        ("support-natural-worst", {"options": {"candidates": 0}}, {}, "candidates of 1 or more"),
        ("support-natural-worst", {"options": {"goal": "bad"}}, {}, "worst or best, got 'bad'"),
        ("backdoor-dirty", {"options": {"size": 15}}, {}, "set options.size to at most 14"),
        ("backdoor-dirty", {"options": {"colour": 1}}, {}, "has no option 'colour'"),
        ("backdoor-dirty", {"options": {"target": -1}}, {}, "target of 0 or more, got -1"),
        ("label-flip", {"options": {"confusion": "x"}}, {}, "confusion symmetric, pair, exchange"),
        (
            "mismatched-corruption",
            {"options": {"query_corruption": "contrats"}},
            {},
            "did you mean 'contrast'",
        ),
        (
            "mismatched-corruption",
            {"options": {"query_corruption": "transverse-chromatic-aberration"}},
            {},
            "transverse-chromatic-aberration is not defined for the inputs",
        ),
        ("mismatched-corruption", {"surface": "query"}, {}, "expected surface both, got query"),
        (
            "mismatched-corruption",
            {"options": {"query_corruption": "gaussian-noise"}},
            {},
            "expected another corruption than 'gaussian-noise'",
        ),
    ],
)
def test_what_cannot_be_is_refused_when_planned(name, changes, where, message):
    with pytest.raises(MetarobustError, match=message):
        threat(name, **changes, **where)


@pytest.mark.parametrize(
    ("name", "changes", "protocol", "message"),
    [
        ("label-flip", {"fraction": 0.1}, ONE_SHOT, "is no image, so that nothing would change"),
        ("label-flip-worst", {"fraction": 0.05}, PROTOCOL, "set fraction to at least 0.17"),
        ("label-flip-worst", {}, replace(PROTOCOL, attacker_queries=0), "attacker_queries"),
        ("support-replace-class", {"fraction": 0.9}, PROTOCOL, "at most 1 can be exchanged"),
        ("support-replace-class", {}, ONE_SHOT, "set protocol.shots to at least 2"),
        ("support-replace-outlier", {"fraction": 0.2}, PROTOCOL, "set fraction to at least 0.5"),
        (
            "support-replace-outlier",
            {},
            replace(PROTOCOL, replacement="disjoint"),
            "protocol.replacement to classes",
        ),
        (
            "support-natural-worst",
            {},
            replace(PROTOCOL, replacement="disjoint"),
            "protocol.replacement to classes",
        ),
        ("support-natural-worst", {}, replace(PROTOCOL, attacker_queries=0), "attacker_queries"),
        ("support-swap-linf", {}, replace(PROTOCOL, attacker_queries=1), "to at least 2"),
        ("joint-pgd-linf", {}, replace(PROTOCOL, attacker_queries=0), "attacker_queries"),
        ("backdoor-dirty", {"options": {"target": 3}}, PROTOCOL, "has classes 0 to 2"),
        ("backdoor-dirty", {"fraction": 0.9}, PROTOCOL, "set fraction to at most 4/6"),
        ("backdoor-clean", {"fraction": 0.1}, PROTOCOL, "shots of the target class is no image"),
    ],
)
def test_what_an_episode_cannot_have_is_objected_to(name, changes, protocol, message):
    live = build_threat(
        load_recipe(name).model_copy(
            update={
                **changes,
                "options": {**load_recipe(name).options, **changes.get("options", {})},
            }
        )
    )
    assert message in live.objection(small_learner("protonet"), protocol)


def test_gradients_through_adaptation_are_not_asked_of_a_learner_that_has_none():
    learner = small_learner("protonet")
    learner.differentiable = False
    assert "use a black-box threat" in threat("joint-pgd-linf").objection(learner, PROTOCOL)
    assert threat("support-swap-linf").objection(learner, PROTOCOL) == ""
    assert threat("label-flip-worst").objection(learner, PROTOCOL) == ""
