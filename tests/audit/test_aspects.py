"""Answers to distractors and agreement of explanations, against what a linear learner must give."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from metarobust.assembly.build_threat import build_threat
from metarobust.audit.aspects import EXPLANATION_GRADIENTS, aspect_arrays, explains
from metarobust.audit.cell import carry_out
from metarobust.audit.evidence import NOT_COMPARED
from metarobust.config.aspects import AspectsConfig
from metarobust.config.catalogue import load_recipe
from metarobust.corruptions import corrupt
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner, class_means
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set

SEED = 3
PROTOCOL = Protocol(ways=3, shots=2, queries=2, attacker_queries=2)
BOTH = AspectsConfig(distractors=4, explanation=True)
CHANGES = {
    "support-pgd-linf": {"eps": 0.2, "steps": 2},
    "pgd-linf": {"eps": 0.05, "steps": 2},
}


class InnerProducts(Learner):
    """Logits q . m_k with m_k the mean support image of class k: linear in the query."""

    def __init__(self):
        super().__init__(nn.Linear(1, 1))

    def adapt(self, support_x, support_y, *, ways, generator=None, first_order=False):
        means = class_means(support_x.flatten(1), support_y, ways)
        return lambda query_x: query_x.flatten(1) @ means.T


def sampler(channels=1):
    return EpisodeSampler(pattern_set(shape=(channels, 16, 16)), PROTOCOL, SEED)


def measured(name, learner, aspects=BOTH, numbers=(0, 1, 2), channels=1, **changes):
    """The episodes, what a recipe makes of them, and the arrays of the aspects."""
    recipe = load_recipe(name).model_copy(update={**CHANGES.get(name, {}), **changes})
    threat, stream = build_threat(recipe), sampler(channels)
    episodes = [stream[number] for number in numbers]
    outcome = carry_out(threat, learner, episodes, SEED, 1.0)
    arrays = aspect_arrays(aspects, recipe, threat, learner, stream, episodes, outcome)
    return episodes, outcome, arrays


def answer(learner, support_x, support_y, x):
    with torch.no_grad():
        return learner(support_x, support_y, x, 3)


@pytest.mark.parametrize("name", ["pgd-linf", "support-pgd-linf", "label-flip", "gaussian-noise"])
def test_distractors_meet_the_learner_as_the_threat_left_it(name):
    learner = small_learner("maml").requires_grad_(False)
    episodes, outcome, arrays = measured(name, learner)
    assert arrays["distractor_logits"].shape == (3, 4, 3)
    for e, episode in enumerate(episodes):
        strangers = sampler().distractors(episode, 4)
        x = strangers.x
        if name == "gaussian-noise":
            x = corrupt("gaussian-noise", x, strangers.ids, load_recipe(name).severity, SEED)
            assert not torch.equal(x, strangers.x)
        expected = answer(learner, outcome.support_x[e], outcome.support_y[e], x)
        np.testing.assert_array_equal(arrays["distractor_logits"][e], expected)
        assert arrays["distractor_ids"][e].tolist() == strangers.ids.tolist()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["support-pgd-linf", "label-flip"])
def test_the_explanation_of_a_linear_learner_is_its_weights_times_the_query(name, channels):
    learner = InnerProducts()
    episodes, outcome, arrays = measured(name, learner, channels=channels)
    compared = 0
    for e, episode in enumerate(episodes):
        before = class_means(episode.support_x.flatten(1), episode.support_y, 3)
        after = class_means(outcome.support_x[e].flatten(1), outcome.support_y[e], 3)
        for q, query in enumerate(episode.query_x.flatten(1)):
            found = [arrays[f"explanation_{what}"][e, q] for what in ("rank", "overlap")]
            named = (query @ before.T).argmax()
            if (query @ after.T).argmax() != named:
                assert found == [NOT_COMPARED, NOT_COMPARED]
                continue
            compared += 1
            maps = [
                (query * means[named]).reshape(channels, 256).sum(0) for means in (before, after)
            ]
            top = [set(torch.topk(one.abs(), 26).indices.tolist()) for one in maps]
            assert found[0] == pytest.approx(spearmanr(*maps).statistic, abs=1e-6)
            assert found[1] == pytest.approx(len(top[0] & top[1]) / 26, abs=1e-6)
    assert compared


def test_an_untouched_support_set_keeps_every_explanation():
    learner = small_learner("protonet").requires_grad_(False)
    _, _, arrays = measured("support-pgd-linf", learner, eps=0.0)
    np.testing.assert_allclose(arrays["explanation_rank"], 1, atol=1e-9)
    np.testing.assert_allclose(arrays["explanation_overlap"], 1)


def test_the_block_size_does_not_matter():
    learner = small_learner("maml").requires_grad_(False)
    _, _, whole = measured("support-pgd-linf", learner)
    parts = [measured("support-pgd-linf", learner, numbers=(n,))[2] for n in (0, 1, 2)]
    assert set(whole) == {
        "distractor_logits", "distractor_ids", "explanation_rank", "explanation_overlap",
    }  # fmt: skip
    for name, array in whole.items():
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(joined, array, strict=True)


def test_nothing_is_measured_that_was_not_asked_for():
    learner = small_learner("protonet").requires_grad_(False)
    assert not measured("support-pgd-linf", learner, AspectsConfig())[2]
    found = measured("pgd-linf", learner, BOTH)[2]
    assert set(found) == {"distractor_logits", "distractor_ids"}


def test_who_cannot_be_explained():
    support, query = load_recipe("support-pgd-linf"), load_recipe("pgd-linf")
    plain, leaking = small_learner("protonet"), small_learner("protonet", norm_mode="batch")
    assert explains(BOTH, support, plain)
    assert not explains(AspectsConfig(distractors=5), support, plain)
    assert not explains(BOTH, query, plain)
    assert not explains(BOTH, None, plain)
    assert not explains(BOTH, support, leaking)
    rigid = InnerProducts()
    rigid.differentiable = False
    assert not explains(BOTH, support, rigid)
    assert not measured("label-flip", leaking.requires_grad_(False))[2]


def test_an_explanation_costs_the_gradients_it_says(monkeypatch):
    from metarobust.audit import aspects

    calls = []

    def counted(fn, at, **options):
        calls.append(1)
        return engine_gradient(fn, at, **options)

    engine_gradient = aspects.gradient
    monkeypatch.setattr(aspects, "gradient", counted)
    measured("label-flip", small_learner("protonet").requires_grad_(False), numbers=(0, 1))
    assert len(calls) == 2 * EXPLANATION_GRADIENTS
