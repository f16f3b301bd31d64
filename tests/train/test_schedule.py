"""A budget pays for whole iterations; the rate falls along a cosine."""

import pytest

from metarobust.config.train import OptimiserConfig
from metarobust.core.errors import ConfigError
from metarobust.train.schedule import iteration_costs, planned_iterations, rate_at
from tests.support.training import training

AQ = {"name": "aq", "attack": {"eps": 0.1, "steps": 3}}


@pytest.mark.parametrize(
    ("objective", "cost"),
    [
        ("episodic", 2),
        ("classification", 1),
        (AQ, 8),
        ({"name": "adml", "attack": {"eps": 0.1, "steps": 3, "restarts": 2}}, 28),
        ({"name": "r-maml", "attack": {"eps": 0.1, "steps": 2}}, 8),
        ({"name": "label-noise", "fraction": 0.2}, 2),
    ],
)
def test_a_budget_buys_as_many_iterations_as_fit(objective, cost):
    config = training(
        objective=objective, iterations=None, budget={"gradient_evaluations": 10 * cost + cost - 1}
    )
    assert iteration_costs(config)(0) == cost
    assert planned_iterations(config) == 10


def test_a_mixture_spends_no_more_than_its_budget():
    parts = {"name": "mixture", "parts": [{"name": "episodic"}, AQ]}
    config = training(objective=parts, iterations=None, budget={"gradient_evaluations": 500})
    cost, planned = iteration_costs(config), planned_iterations(config)
    spent = sum(cost(i) for i in range(planned))
    assert spent <= 500 < spent + cost(planned)


def test_a_budget_below_one_iteration_is_refused():
    config = training(objective=AQ, iterations=None, budget={"gradient_evaluations": 7})
    with pytest.raises(ConfigError, match=r"expected at least 8, .* got 7"):
        planned_iterations(config)


def test_given_iterations_are_taken():
    assert planned_iterations(training(iterations=11)) == 11


def test_rates():
    cosine, constant = (OptimiserConfig(rate=0.1, schedule=name) for name in ("cosine", "constant"))
    assert [rate_at(cosine, i, 10) for i in (0, 5)] == pytest.approx([0.1, 0.05])
    assert rate_at(cosine, 10, 10) == pytest.approx(0, abs=1e-17)
    assert rate_at(constant, 9, 10) == 0.1
