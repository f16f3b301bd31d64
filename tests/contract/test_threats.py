"""What every recipe of the catalogue must do, whatever its engine, on every kind of learner."""

import importlib.util
import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_map

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.checkpoint import weights_digest
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.threat import Outcome
from metarobust.assembly.transfer import TransferAttack
from metarobust.attacks.external import LIBRARIES
from metarobust.audit.carry_out import carry_out, rehearsed
from metarobust.config.catalogue import load_recipe
from metarobust.config.loading import bundled_names
from metarobust.core.engine import map_episodes, stack_episodes
from metarobust.core.episode import Episode
from metarobust.corruptions import CORRUPTIONS
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.catalogue import LEARNERS
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set

PROTOCOL = Protocol(ways=3, shots=2, queries=2, attacker_queries=2)
SEED, SCALE, EPISODES = 7, 0.8, 2
STEPS, RESTARTS = 2, 2
FEWER = {
    "episode-autoattack": {"square_queries": 4},
    "smoothing": {"selection": 2, "samples": 5},
    "natural": {"candidates": 2},
}
FITTING = {"support-outlier": {"dataset_options": {"size": 16}}}
FACTS = ("budget_used", "changed", "zero_gradients", "objective_start", "objective_end")

QUICK = [("protonet", None), ("maml", None), ("protonet", "batch")]
VARIANTS = QUICK + [(name, None) for name in LEARNERS if (name, None) not in QUICK]


def takes_grey_images(name):
    kind, _, corruption = load_recipe(name).engine.partition(":")
    return kind != "corruption" or 1 in CORRUPTIONS[corruption].channels


def named(name, variant):
    marks = () if variant in QUICK else pytest.mark.slow
    return pytest.param(name, variant, id="-".join(filter(None, (name, *variant))), marks=marks)


# One of each kind of search; every other differs from these in the engine, not in the learner.
ON_EVERY_LEARNER = ("noise-linf", "pgd-linf", "support-noise-linf", "support-pgd-linf")


def variants_for(name):
    if load_recipe(name).family in ("corruption", "labels"):
        return VARIANTS[:1]
    return VARIANTS if name in ON_EVERY_LEARNER else QUICK


def is_certificate(name):
    return load_recipe(name).family == "certificate"


def pairs(*, certificates=True):
    """Every recipe with three learners, some with all; what never looks at a learner, with one."""
    for name in filter(takes_grey_images, bundled_names("recipe")):
        if is_certificate(name) and not certificates:
            continue
        for variant in variants_for(name):
            yield named(name, variant)


every_recipe = pytest.mark.parametrize(("name", "variant"), list(pairs()))
# A certificate answers for another classifier, and has no budget.
every_attack = pytest.mark.parametrize(("name", "variant"), list(pairs(certificates=False)))
every_quick_learner = pytest.mark.parametrize("variant", QUICK, ids=lambda v: v[0] + (v[1] or ""))


@cache
def episodes(dtype=torch.float32) -> list[Episode]:
    sampler = EpisodeSampler(pattern_set(), PROTOCOL, seed=1)

    def cast(tensor):
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return [Episode(*map(cast, sampler[number])) for number in range(EPISODES)]


@cache
def recipe(name):
    """The recipe as it is, but for fewer steps: its invariants do not depend on them."""
    found = load_recipe(name)
    fewer = {"steps": min(found.steps, STEPS), "restarts": min(found.restarts, RESTARTS)}
    # The targeted ratio of logits needs four ways.
    losses = tuple(loss.replace("targeted-dlr", "targeted-margin") for loss in found.loss)
    options = {**found.options, **FEWER.get(found.engine, {}), **FITTING.get(name, {})}
    return found.model_copy(update={**fewer, "loss": losses, "options": options})


@cache
def learner(variant):
    return small_learner(variant[0], norm_mode=variant[1]).requires_grad_(False)


@cache
def threat(name, variant):
    library = recipe(name).kind.name
    if library in LIBRARIES and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    built = build_threat(recipe(name)).with_data(pattern_set(), PROTOCOL)
    if isinstance(built, TransferAttack):
        # The surrogate of the recipe takes other images.
        own = replace(built.surrogate, learner=small_learner("centroid").requires_grad_(False))
        built = replace(built, surrogate=own)
    if objection := built.objection(learner(variant), PROTOCOL):
        pytest.skip(objection)
    return rehearsed(built, learner(variant), pattern_set(), PROTOCOL, SEED, SCALE)


def run(name, variant, some, seed=SEED) -> Outcome:
    return carry_out(threat(name, variant), learner(variant), some, seed, SCALE)


@cache
def outcome(name, variant) -> Outcome:
    return run(name, variant, episodes())


def assert_same_bits(one: Outcome, other: Outcome):
    for field in Outcome._fields:
        assert torch.equal(getattr(one, field), getattr(other, field)), field


def sizes(delta, norm):
    """Norm of each image of a difference [E, images, C, H, W], by numpy."""
    flat = delta.flatten(2).double().numpy()
    return np.linalg.norm(flat, ord={"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=2)


def own_queries(clean):
    """The attacker's queries that a swap inserts: as many of each class as it has shots."""
    assert PROTOCOL.attacker_queries == PROTOCOL.shots
    return clean.attacker_x


@every_recipe
def test_the_budget_is_kept_and_recorded(name, variant):
    found, clean, budget = outcome(name, variant), stack_episodes(episodes()), recipe(name)
    deltas = {
        "support": found.support_x - clean.support_x,
        "query": found.query_x - clean.query_x,
    }
    for surface, delta in deltas.items():
        after = getattr(found, f"{surface}_x")
        assert after.shape == getattr(clean, f"{surface}_x").shape
        assert after.isfinite().all()
        assert after.min() >= 0
        assert after.max() <= 1
        if budget.surface not in (surface, "both") or budget.family == "labels":
            assert not delta.any(), f"the {surface} images are not this threat's to touch"
    if budget.norm is None:
        assert not found.budget_used.any()
        return
    if budget.engine == "swap":
        deltas["support"] = found.support_x - own_queries(clean)
    surfaces = [name for name in deltas if budget.surface in (name, "both")]
    by_surface = [sizes(deltas[surface], budget.norm) for surface in surfaces]
    used = np.concatenate(by_surface, axis=1)
    assert used.max() <= budget.eps * (1 + 1e-5) + 1e-6
    np.testing.assert_allclose(found.budget_used, used.max(1), rtol=1e-5, atol=1e-7)
    if budget.engine == "swap":
        assert (found.changed == 1).all()
        return
    shares = np.mean([(size > 0).mean(1) for size in by_surface], axis=0)
    np.testing.assert_allclose(found.changed, shares, rtol=1e-6)
    if budget.family == "noise":
        assert (used > 0.5 * budget.eps).all(), "noise spends its budget on every image"


@every_recipe
def test_only_what_mislabels_changes_labels_and_exactly_its_share(name, variant):
    found, clean = outcome(name, variant), stack_episodes(episodes())
    flipped = (found.support_y != clean.support_y).sum(1)
    share, images = recipe(name).fraction or 0.0, clean.support_y.shape[1]
    if recipe(name).family != "labels" and name != "backdoor-dirty":
        share = 0.0
    expected = torch.tensor(round(share * images))
    if name == "support-replace-class":
        expected = PROTOCOL.ways * torch.tensor(round(share * PROTOCOL.shots))
    if name == "label-flip-worst":  # stops where another flip would help the learner
        assert (flipped <= expected).all()
        return
    assert (flipped == expected).all()
    assert found.support_y.min() >= 0
    assert found.support_y.max() < PROTOCOL.ways


@every_quick_learner
def test_a_partial_poisoner_touches_its_share_of_images(variant):
    found, clean = outcome("support-pgd-linf-partial", variant), stack_episodes(episodes())
    touched = (found.support_x != clean.support_x).flatten(2).any(2)
    for marks, labels in zip(touched, clean.support_y, strict=True):
        assert marks.sum() <= 2  # round(0.6 x 3) classes, round(0.6 x 2) shot of each
        assert len(labels[marks].unique()) == marks.sum()


@every_recipe
def test_the_record_is_sound(name, variant):
    found, budget = outcome(name, variant), recipe(name)
    for field in FACTS:
        assert getattr(found, field).isfinite().all()
    for share in (found.changed, found.zero_gradients):
        assert share.min() >= 0
        assert share.max() <= 1
    blind = budget.norm is None and budget.knowledge == "none"
    poisoned = budget.surface != "query" and not blind
    assert ((found.attacker_correct >= 0) == poisoned).all()
    calls = threat(name, variant).gradient_calls(PROTOCOL.ways)
    if budget.engine in ("pgd", "fgsm", "fgsm-rs"):
        surfaces = 2 if budget.surface == "both" else 1
        assert calls == surfaces * len(budget.loss) * budget.steps * budget.restarts
    if budget.knowledge != "white-box":
        assert calls == 0
    if budget.family in ("attack", "poison"):
        assert (found.objective_end >= found.objective_start).all()


@every_attack
def test_the_logits_are_those_of_the_inputs_it_left(name, variant):
    found = outcome(name, variant)
    for e, episode in enumerate(episodes()):
        with torch.no_grad():
            logits = learner(variant)(
                found.support_x[e], found.support_y[e], found.query_x[e], episode.ways
            )
        assert torch.equal(logits, found.logits[e])


@every_recipe
def test_the_learner_is_left_bit_identical(name, variant):
    module = learner(variant)
    before = weights_digest(module)
    flags = [
        (part.training, [p.requires_grad for p in part.parameters()]) for part in module.modules()
    ]
    run(name, variant, episodes()[:1])
    assert weights_digest(module) == before
    assert all(p.grad is None for p in module.parameters())
    assert flags == [
        (part.training, [p.requires_grad for p in part.parameters()]) for part in module.modules()
    ]


@every_recipe
def test_the_same_seed_gives_the_same_bits_and_the_global_ones_are_left_alone(name, variant):
    torch.manual_seed(3)
    np.random.seed(4)  # noqa: NPY002
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    assert_same_bits(run(name, variant, episodes()), outcome(name, variant))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == str(before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


@pytest.mark.parametrize("name", ["noise-linf", "gaussian-noise", "label-flip"])
def test_another_seed_gives_other_draws(name):
    variant = VARIANTS[0]
    other = run(name, variant, episodes(), seed=SEED + 1)
    same = outcome(name, variant)
    assert not all(
        torch.equal(getattr(other, key), getattr(same, key))
        for key in ("query_x", "support_x", "support_y")
    )


@every_recipe
def test_every_episode_has_draws_of_its_own(name, variant):
    one, other = (threat(name, variant).prepare(episode, SEED) for episode in episodes()[:2])
    for mine, theirs in zip(one.draws, other.draws, strict=True):
        assert mine.numel() < 2 or not torch.equal(mine, theirs)


@every_recipe
def test_neither_block_size_nor_order_matters(name, variant):
    together = outcome(name, variant)
    alone = [run(name, variant, [episode]) for episode in episodes()]
    assert_same_bits(tree_map(lambda *rows: torch.cat(rows), *alone), together)
    backwards = run(name, variant, episodes()[::-1])
    assert_same_bits(tree_map(lambda rows: rows.flip(0), backwards), together)


@every_attack
def test_a_budget_of_zero_is_the_identity(name, variant):
    harmless = threat(name, variant).without_budget()
    assert harmless is not None
    found = carry_out(harmless, learner(variant), episodes(), SEED, SCALE)
    clean = carry_out(Clean(), learner(variant), episodes(), SEED, SCALE)
    for field in ("logits", "support_x", "support_y", "query_x"):
        assert torch.equal(getattr(found, field), getattr(clean, field)), field
    assert not found.changed.any()
    assert not found.budget_used.any()


def test_an_episode_uses_no_image_twice():
    for episode in episodes():
        ids = torch.cat([episode.support_ids, episode.query_ids, episode.attacker_ids])
        assert len(ids.unique()) == len(ids)


@every_recipe
def test_a_poisoner_never_sees_the_scored_queries_nor_a_query_attacker_the_others(name, variant):
    (episode, other), found = episodes()[:2], outcome(name, variant)
    if recipe(name).surface != "query":
        hidden = {"query_x": other.query_x, "query_y": other.query_y.flip(0)}
    else:
        hidden = {"attacker_x": other.attacker_x, "attacker_y": other.attacker_y.flip(0)}
    blinded = run(name, variant, [episode._replace(**hidden)])
    assert torch.equal(blinded.support_x[0], found.support_x[0])
    if recipe(name).surface == "query":
        assert torch.equal(blinded.query_x[0], found.query_x[0])


@every_recipe
def test_vmap_gives_what_the_loop_gives(name, variant):
    live = threat(name, variant)
    if not live.mappable:
        pytest.skip("third-party code is never mapped")
    double = small_learner(variant[0], norm_mode=variant[1]).requires_grad_(False).double()
    prepared = stack_episodes([live.prepare(e, SEED) for e in episodes(torch.float64)])

    def one(each):
        return live.run(double, each, SCALE)

    loop = map_episodes(one, prepared)
    saturated = "dlr" in recipe(name).loss and (loop.objective_end > 1 - 1e-9).any()
    if loop.zero_gradients.any() or saturated:
        pytest.skip("where the loss is flat, the last bit decides which of two points is kept")
    mapped = map_episodes(one, prepared, backend="vmap", chunk=2)
    for field in Outcome._fields:
        # A step along a gradient of unit length magnifies the rounding of a small gradient; a
        # wrong gradient would move pixels by a share of the budget.
        torch.testing.assert_close(
            getattr(mapped, field), getattr(loop, field), rtol=1e-3, atol=1e-3, msg=field
        )
