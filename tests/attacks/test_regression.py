"""Attacks on a regression against the closed form of a linear predictor."""

import pytest
import torch

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.attacks.apgd import APGD
from metarobust.attacks.mim import MIM
from metarobust.attacks.pgd import PGD
from metarobust.backbones.identity import Identity
from metarobust.core.episode import Episode
from metarobust.learners.ridge import Ridge
from metarobust.threats.budget import Budget

EPS = 0.1


def line(seed=0, n=8):
    """Noisy points of a line, far enough from the ends of [0, 1] for the whole budget."""
    source = torch.Generator().manual_seed(seed)
    x = 0.3 + 0.4 * torch.rand(3, n, 1, generator=source, dtype=torch.float64)
    y = 3 * x[..., 0] - 1 + 0.2 * torch.randn(3, n, generator=source, dtype=torch.float64)
    ids = torch.arange(3 * n).view(3, n)
    return Episode(
        support_x=x[0], support_y=y[0], query_x=x[1], query_y=y[1], attacker_x=x[2],
        attacker_y=y[2], support_ids=ids[0], query_ids=ids[1], attacker_ids=ids[2],
        class_ids=torch.tensor([4]), number=torch.tensor(seed),
    )  # fmt: skip


@pytest.fixture(scope="module")
def learner():
    return Ridge(Identity((1,)), penalty=1e-3).double().eval()


def errors(outcome, episode):
    return (outcome.logits[:, 0] - episode.query_y).square()


@pytest.mark.parametrize("engine", [PGD(), MIM(), APGD()])
def test_the_worst_query_is_that_of_the_closed_form(learner, engine):
    # |w (x + d) + b - y| is largest at an end of the ball: (|error| + |w| eps)^2.
    episode = line()
    threat = QueryAttack(engine, Budget("linf", EPS, 20, 8, losses=("squared-error",)))
    outcome = threat.run(learner, threat.prepare(episode, 0), 1.0)
    with torch.no_grad():
        predict = learner.adapt(episode.support_x, episode.support_y, ways=1)
        at, further = predict(episode.query_x)[:, 0], predict(episode.query_x + 1)[:, 0]
    slope = (further - at).abs()
    expected = ((at - episode.query_y).abs() + slope * EPS).square()
    torch.testing.assert_close(errors(outcome, episode), expected)
    assert outcome.budget_used == pytest.approx(EPS)


def test_a_budget_of_zero_is_the_identity(learner):
    episode = line()
    threat = QueryAttack(PGD(), Budget("linf", EPS, losses=("squared-error",))).without_budget()
    outcome = threat.run(learner, threat.prepare(episode, 0), 1.0)
    assert torch.equal(outcome.query_x, episode.query_x)


def test_poisoning_raises_the_error_on_the_attackers_own_queries(learner):
    budget = Budget("linf", EPS, steps=20, losses=("squared-error",))
    threat = SupportAttack(PGD(), budget, shot_fraction=0.5)
    for seed in range(3):
        episode = line(seed)
        prepared = threat.prepare(episode, 0)
        assert int(prepared.mask.sum()) == 4
        outcome = threat.run(learner, prepared, 1.0)
        assert outcome.objective_end > outcome.objective_start
        assert outcome.attacker_correct == -1
        moved = (outcome.support_x != episode.support_x).flatten(1).any(1)
        assert not (moved & ~prepared.mask).any()
