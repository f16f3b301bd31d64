"""The cost of an audit before it is run: gradients counted, seconds scaled from timed episodes."""

import itertools

import pytest

from metarobust.assembly.support_search import NaturalSupport, WorstLabels
from metarobust.audit import estimate
from metarobust.audit.carry_out import carry_out
from metarobust.audit.plan import make_plan
from metarobust.config.audit import AuditConfig
from metarobust.data.sampler import EpisodeSampler, Protocol
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set


@pytest.fixture
def timed(monkeypatch):
    """The N-th episode timed takes N seconds; a list of what was timed: threat, learner, number."""
    told = []
    ticks = itertools.chain.from_iterable((1000.0 * n, 1000.0 * n + n) for n in itertools.count(1))
    monkeypatch.setattr(estimate.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(
        estimate, "carry_out", lambda threat, learner, few, *_: told.append((threat, learner, few))
    )
    return told


def cost_of(tiny, **changes):
    config = AuditConfig.model_validate(tiny.audit(episodes=5, block=1, **changes))
    return estimate.estimate_cost(make_plan(config, episodes=None))


def test_gradients_are_counted_and_one_episode_of_each_kind_is_timed(tiny, timed):
    threats = [{"recipe": "pgd-linf", "restarts": 1, "steps": [2, 6]}, "noise-linf"]
    cost = cost_of(tiny, threats=threats)
    assert cost.gradient_calls == 5 * (2 * 2 + 2 * 6)  # two losses
    # An episode takes 1 s clean, 2 s under PGD of 4 gradients and so 6 s of 12, 3 s under noise.
    assert cost.seconds == pytest.approx(5 * (1 + (2 + 6) + 3))
    assert [len(episodes) for *_, episodes in timed] == [1, 1, 1]
    assert timed[1][0].budget.steps == 2, "the cheapest of a kind is timed"


def test_adaptations_of_searches_are_counted(tiny, timed):
    threats = [
        {"recipe": "label-flip-worst", "fraction": [0.2, 0.5]},
        {"recipe": "support-natural-worst", "steps": [1, 2]},
    ]
    cost = cost_of(tiny, threats=threats)
    flips = [1 + changed * 6 * 2 for changed in (1, 3)]  # 6 images of 3 classes
    slots = [1 + rounds * 6 * 5 for rounds in (1, 2)]  # 4 candidates beside its own
    assert cost.adaptations == 5 * sum(flips + slots)
    expected = 1 + 2 * sum(flips) / flips[0] + 3 * sum(slots) / slots[0]
    assert cost.seconds == pytest.approx(5 * expected)


def test_searches_that_count_nothing_are_timed_for_every_length(tiny, timed):
    cost = cost_of(tiny, threats=[{"recipe": "square-linf", "steps": [3, 30]}])
    assert [threat.budget.steps for threat, *_ in timed[1:]] == [3, 30]
    assert cost.seconds == pytest.approx(5 * (1 + 2 + 3))


def test_a_corruption_is_timed_on_one_learner_and_costs_the_same_on_all(tiny, timed):
    threats = [{"recipe": "contrast", "severity": [1, 2]}]
    cost = cost_of(tiny, learners=[str(tiny.protonet), str(tiny.maml)], threats=threats)
    assert [type(learner).__name__ for _, learner, _ in timed] == ["ProtoNet", "ProtoNet", "MAML"]
    # Clean 1 s and 3 s; the corruption takes 2 s on the first, 1 s of them its own.
    assert cost.seconds == pytest.approx(5 * (1 + 2 * 2 + 3 + 2 * (3 + 1)))


@pytest.mark.parametrize("threat", [WorstLabels(0.5), NaturalSupport(2, candidates=3)])
def test_the_number_of_adaptations_is_what_a_search_takes(threat, monkeypatch):
    data, protocol = pattern_set(), Protocol(3, 2, 2, 2)
    learner, calls = small_learner("protonet").eval(), []
    real = learner.adapt
    monkeypatch.setattr(
        learner, "adapt", lambda *parts, **named: calls.append(1) or real(*parts, **named)
    )
    episode = EpisodeSampler(data, protocol, 0)[0]
    carry_out(threat.with_data(data, protocol), learner, [episode], 0, 1.0)
    judged = len(calls) - threat.adaptations(protocol)
    calls.clear()
    harmless = threat.without_budget().with_data(data, protocol)
    carry_out(harmless, learner, [episode], 0, 1.0)
    assert judged == len(calls) - harmless.adaptations(protocol) > 0


def test_a_limited_plan_costs_less(tiny):
    config = AuditConfig.model_validate(tiny.audit(threats=[{"recipe": "pgd-linf", "steps": 1}]))
    whole, part = (estimate.estimate_cost(make_plan(config, episodes=n)) for n in (None, 2))
    assert whole.gradient_calls == 2 * part.gradient_calls > 0
    assert part.seconds > 0


def test_a_threat_that_needs_data_is_timed_with_it(tiny):
    threats = [{"recipe": "support-replace-outlier", "fraction": 0.5}]
    config = AuditConfig.model_validate(tiny.audit(threats=threats, episodes=1, block=1))
    assert estimate.estimate_cost(make_plan(config, episodes=None)).seconds > 0
