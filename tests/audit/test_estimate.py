"""The cost of an audit before it is run: gradients counted, seconds scaled from timed episodes."""

import itertools

import pytest

from metarobust.audit import estimate
from metarobust.audit.plan import make_plan
from metarobust.config.audit import AuditConfig


def test_gradients_are_counted_and_one_episode_of_each_kind_is_timed(tiny, monkeypatch):
    threats = [{"recipe": "pgd-linf", "restarts": 1, "steps": [2, 6]}, "noise-linf"]
    config = AuditConfig.model_validate(tiny.audit(threats=threats, episodes=5, block=1))
    timed = []
    ticks = itertools.chain.from_iterable((1000.0 * n, 1000.0 * n + n) for n in itertools.count(1))
    monkeypatch.setattr(estimate.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(
        estimate, "carry_out", lambda threat, *rest: timed.append((threat, len(rest[1])))
    )
    cost = estimate.estimate_cost(make_plan(config, episodes=None))
    assert cost.gradient_calls == 5 * (2 * 2 + 2 * 6)  # two losses
    # An episode takes 1 s clean, 2 s under PGD of 4 gradients and so 6 s of 12, 3 s under noise.
    assert cost.seconds == pytest.approx(5 * (1 + (2 + 6) + 3))
    assert [count for _, count in timed] == [1, 1, 1]
    assert timed[1][0].budget.steps == 2, "the cheapest of a kind is timed"


def test_a_limited_plan_costs_less(tiny):
    config = AuditConfig.model_validate(tiny.audit(threats=[{"recipe": "pgd-linf", "steps": 1}]))
    whole, part = (estimate.estimate_cost(make_plan(config, episodes=n)) for n in (None, 2))
    assert whole.gradient_calls == 2 * part.gradient_calls > 0
    assert part.seconds > 0


def test_a_threat_that_needs_data_is_timed_with_it(tiny):
    threats = [{"recipe": "support-replace-outlier", "fraction": 0.5}]
    config = AuditConfig.model_validate(tiny.audit(threats=threats, episodes=1, block=1))
    assert estimate.estimate_cost(make_plan(config, episodes=None)).seconds > 0
