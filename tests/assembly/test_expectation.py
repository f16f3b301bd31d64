"""Learners that draw at random: attacked in expectation, judged by majority."""

import pytest
import torch

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.threat import VOTES, majority
from metarobust.attacks.pgd import PGD
from metarobust.audit.carry_out import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.core.errors import ConfigError
from metarobust.threats.budget import Budget
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.stub_learners import Flickering

BUDGET = Budget("linf", 0.1, steps=10, losses=("margin",))


def episodes(count=6):
    return [make_episode(seed, ways=5, queries=4) for seed in range(count)]


def accuracy(outcome):
    labels = torch.stack([task.query_y for task in episodes()])
    return float((outcome.logits.argmax(2) == labels).float().mean())


def on(learner, threat):
    return carry_out(threat, learner.requires_grad_(False), episodes(), 0, 1.0)


def test_an_expectation_finds_what_one_draw_hides():
    learner = Flickering(5.0)
    clean = accuracy(on(learner, Clean()))
    single, averaged = (accuracy(on(learner, QueryAttack(PGD(), BUDGET, n))) for n in (1, 20))
    assert averaged < single - 0.1
    assert single < clean


def test_of_a_deterministic_learner_it_changes_no_bit():
    learner = small_learner("protonet", ways=5)
    for threat in (QueryAttack(PGD(), BUDGET, 7), SupportAttack(PGD(), BUDGET, expectation=7)):
        one = on(learner, type(threat)(PGD(), BUDGET))
        many = on(learner, threat)
        assert torch.equal(one.query_x, many.query_x)
        assert torch.equal(one.support_x, many.support_x)
        assert torch.equal(one.logits, many.logits)
        assert threat.gradient_calls(5) == 7 * type(threat)(PGD(), BUDGET).gradient_calls(5)


def test_every_threat_meets_the_same_draws_of_the_learner():
    learner = Flickering(2.0)
    clean, again = on(learner, Clean()), on(learner, Clean())
    harmless = on(learner, QueryAttack(PGD(), BUDGET, 3).without_budget())
    assert torch.equal(clean.logits, again.logits)
    assert torch.equal(clean.logits, harmless.logits)


def test_poison_climbs_the_expectation_too():
    learner = Flickering(0.5)
    found = on(learner, SupportAttack(PGD(), BUDGET, expectation=3))
    assert (found.objective_end > found.objective_start).all()
    assert (found.attacker_correct >= 0).all()


@pytest.mark.parametrize("wrong", range(VOTES + 1))
def test_a_query_is_wrong_exactly_where_the_majority_is(wrong):
    labels = torch.tensor([1])
    answers = [torch.tensor([[2.0 + i, 0.0, 1.0]]) for i in range(wrong)]
    answers += [torch.tensor([[0.0, 3.0 + i, 1.0]]) for i in range(VOTES - wrong)]
    assert VOTES % 2 == 1
    assert (majority(answers, labels).argmax(1) != labels).item() == (wrong > VOTES / 2)


@pytest.mark.parametrize(
    ("name", "eot", "message"),
    [
        ("pgd-linf", 0, "options.eot: expected a whole number of at least 1, got 0"),
        ("pgd-linf", True, "options.eot: expected a whole number of at least 1, got true"),
        ("square-linf", 20, "takes no gradient that 'eot' could average"),
        ("noise-linf", 20, "takes no gradient that 'eot' could average"),
    ],
)
def test_a_mistaken_expectation_is_refused(name, eot, message):
    recipe = load_recipe(name).model_copy(update={"options": {"eot": eot}})
    with pytest.raises(ConfigError, match=message):
        build_threat(recipe)


@pytest.mark.parametrize("name", ["pgd-linf", "support-pgd-linf", "episode-autoattack-linf"])
def test_a_recipe_asks_for_it_by_an_option_that_its_label_names(name):
    recipe = load_recipe(name)
    asked = recipe.model_copy(update={"options": {**recipe.options, "eot": 20}})
    assert build_threat(asked).expectation == 20
    assert asked.label == f"{recipe.label} eot=20"
