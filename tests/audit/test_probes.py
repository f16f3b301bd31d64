"""A learner built to trip each check, a threat likewise, and an honest one that trips none."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.data_threats import Clean
from metarobust.attacks.base import Perturbation
from metarobust.attacks.pgd import PGD
from metarobust.audit import probes
from metarobust.audit.cell import block_arrays, carry_out
from metarobust.audit.checks import check_cells
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import CellScores
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner, class_means, negative_squared_distances
from metarobust.learners.catalogue import LEARNERS
from metarobust.threats.budget import Budget
from metarobust.threats.scale import logit_scale
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set

PROTOCOL = Protocol(ways=3, shots=2, queries=4, attacker_queries=2)
QUERY = QueryAttack(PGD(), Budget("linf", 0.1, steps=20, restarts=2))
SUPPORT = SupportAttack(PGD(), Budget("linf", 0.1, steps=50))


class Pixels(nn.Module):
    feature_dim = 256

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x, statistics):
        return self.gain * x.flatten(1)


class Honest(Learner):
    """Prototypes of pixels; what follows spoils one thing each."""

    def __init__(self):
        super().__init__(Pixels())

    def seen(self, query_x):
        return query_x

    def said(self, logits):
        return logits

    def adapt(self, support_x, support_y, *, ways, generator=None, first_order=False):
        centres = class_means(support_x.flatten(1), support_y, ways) * self.backbone.gain
        return lambda x: self.said(negative_squared_distances(self.seen(x).flatten(1), centres))


class Rounds(Honest):
    def seen(self, query_x):
        return (query_x * 4).round() / 4


class RoundsUnseen(Honest):
    def seen(self, query_x):
        return query_x + (Rounds.seen(self, query_x) - query_x).detach()


class Saturates(Honest):
    def said(self, logits):
        return logits.pow(15)


class Guesses(Honest):
    def said(self, logits):
        return logits + torch.rand_like(logits)


class Draws(Honest):
    def said(self, logits):
        torch.rand(1)
        return logits


class Votes(Honest):
    def said(self, logits):
        return nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(logits.dtype)


class States(Honest):
    def said(self, logits):
        return logits.softmax(1)


class Compares(Honest):
    def seen(self, query_x):
        return query_x - query_x.mean(0)


class Ages(Honest):
    """Its answers drift with every question; no weight and no buffer says so."""

    asked = 0

    def said(self, logits):
        self.asked += 1
        return logits * (1 + 1e-3 * self.asked)


class Wakes(Honest):
    def said(self, logits):
        self.backbone.train(not self.backbone.training)
        return logits


class Detaches(Honest):
    def adapt(self, support_x, support_y, **options):
        return super().adapt(support_x.detach(), support_y, **options)


class Misleads(Honest):
    """Its gradient points the other way."""

    def seen(self, query_x):
        return 2 * query_x.detach() - query_x


def evidence(learner, threat, family, episodes, scale):
    def carry(other):
        return carry_out(other, learner, episodes[:1], 0, scale)

    was = probes.before(learner, carry)
    outcome = carry_out(threat, learner, episodes, 0, scale)
    if isinstance(threat, Clean):
        extras = probes.probe_learner(learner, episodes[0], carry, scale, 0)
    else:
        extras = probes.probe_threat(was, learner, threat, carry, outcome)
    arrays = block_arrays(episodes, outcome, threat, learner)
    if isinstance(threat, QueryAttack | SupportAttack):
        for name in ("late_improvement", "silent_success", "restart_spread"):
            arrays[name] = getattr(outcome, name).numpy()
    surface = {"poison": "support", "clean": None}.get(family, "query")
    facts = {"family": family, "name": family, "engine": "pgd", "surface": surface}
    facts |= {"norm": surface and "linf", "eps": surface and 0.1, "knowledge": "white-box"}
    description = {"learner": {"label": "it", "norm_mode": learner.norm_mode}, "threat": facts}
    return CellEvidence(family, description, len(episodes), arrays, extras=extras)


def failing(learner, query=QUERY):
    sampler = EpisodeSampler(pattern_set(), PROTOCOL, seed=1)
    episodes = [sampler[number] for number in range(3)]
    learner.eval().requires_grad_(False)
    with torch.no_grad():
        one = episodes[0]
        scale = logit_scale(learner(one.support_x, one.support_y, one.query_x, one.ways))
    cells = [
        evidence(learner, threat, family, episodes, scale)
        for threat, family in ((Clean(), "clean"), (query, "attack"), (SUPPORT, "poison"))
    ]
    verdicts = check_cells([CellScores(one, {}, ()) for one in cells]).values()
    return {result.name for verdict in verdicts for result in verdict.failed}


def test_an_honest_learner_trips_nothing():
    assert failing(Honest()) == set()


@pytest.mark.parametrize(
    ("learner", "checks"),
    [
        (Rounds, {"gradients alive", "margin gradients at the start", "gradients true"}),
        (RoundsUnseen, {"gradients true"}),
        (Saturates, {"logits not saturated"}),
        (Guesses, {"deterministic", "reproducible"}),
        (Draws, {"reproducible"}),
        (Votes, {"gradients alive", "margin gradients at the start", "support gradient alive"}),
        (States, {"logits, not probabilities"}),
        (Compares, {"queries independent"}),
        (Ages, {"same learner afterwards"}),
        (Wakes, {"same learner afterwards"}),
        (Detaches, {"support gradient alive"}),
        (Misleads, {"unbounded attack succeeds", "gradients true"}),
    ],
)
def test_a_learner_built_to_trip_a_check_trips_it(learner, checks):
    assert checks <= failing(learner())


@pytest.mark.parametrize(
    ("learner", "checks"),
    [
        (RoundsUnseen, {"gradients true"}),
        (Draws, {"reproducible"}),
        (Compares, {"queries independent", "gradients true"}),
        (Detaches, {"support gradient alive"}),
    ],
)
def test_and_no_check_of_another_s_fault(learner, checks):
    found = failing(learner())
    effects = {
        "gradients alive",
        "loss rises",
        "loss converged",
        "restarts agree",
        "the answers changed",
        "the threat changed something",
    }
    assert found - effects == checks


class Leaves(Honest):
    """It answers by numpy, through which no gradient goes."""

    def said(self, logits):
        return torch.from_numpy(logits.numpy().copy())


class Insists(Honest):
    """Its own constants are float32, whatever it is given."""

    def seen(self, query_x):
        return (query_x.flatten(1) @ torch.eye(256)).view_as(query_x)


class Fails(Honest):
    """Its answers come, its gradient does not, for a reason that is no property of it."""

    def said(self, logits):
        return Breaks.apply(logits)


class Breaks(torch.autograd.Function):
    @staticmethod
    def forward(context, logits):
        return logits.clone()

    @staticmethod
    def backward(context, gradients):
        raise RuntimeError("CUDA error: a cable came loose")


class FailsInFloat64(Honest):
    def seen(self, query_x):
        if query_x.dtype == torch.float64:
            raise RuntimeError("CUDA out of memory")
        return query_x


def probed(learner):
    learner.eval().requires_grad_(False)
    episode = EpisodeSampler(pattern_set(), PROTOCOL, seed=1)[0]
    return probes.probe_learner(
        learner, episode, lambda threat: carry_out(Clean(), learner, [episode], 0, 1.0), 1.0, 0
    )


def test_a_learner_that_leaves_the_graph_has_no_gradient():
    found = probed(Leaves())
    assert found["zero_margin_gradients_clean"] == found["gradient_error"] == 1
    assert found["support_gradient"] == 0


def test_a_learner_that_insists_on_float32_is_measured_in_it():
    assert probed(Insists())["gradient_error"] < 1e-2


@pytest.mark.parametrize(
    ("learner", "message"), [(Fails, "a cable came loose"), (FailsInFloat64, "out of memory")]
)
def test_a_failure_is_not_taken_for_a_missing_gradient(learner, message):
    with pytest.raises(RuntimeError, match=message):
        probed(learner())


@dataclass(frozen=True)
class Idle(PGD):
    """An attack that does nothing."""

    def maximise(self, objective, x, ball, budget, draws):
        judged = objective(x)
        path = judged.loss.repeat(1 + budget.steps, 1).detach()
        return Perturbation(x, judged.score.detach(), path, torch.zeros_like(judged.score))


@dataclass(frozen=True)
class Forgetful(PGD):
    """It finds what PGD finds, and hands back where it began."""

    def maximise(self, objective, x, ball, budget, draws):
        found = super().maximise(objective, x, ball, budget, draws)
        return found._replace(x=x)


def test_an_attack_that_does_nothing_is_caught():
    found = failing(Honest(), replace(QUERY, engine=Idle()))
    assert found == {"the threat changed something", "the answers changed", "loss rises"}


def test_an_attack_that_forgets_its_successes_is_caught():
    strong = replace(QUERY, engine=Forgetful(), budget=replace(QUERY.budget, eps=0.5))
    assert "no silent success" in failing(Honest(), strong)


@pytest.mark.parametrize("name", list(LEARNERS))
def test_every_learner_can_be_probed_and_stays_as_it_was(name):
    learner = small_learner(name).eval().requires_grad_(False)
    sampler = EpisodeSampler(pattern_set(), PROTOCOL, seed=1)
    kept = {key: value.clone() for key, value in learner.state_dict().items()}

    def carry(threat):
        return carry_out(threat, learner, [sampler[0]], 0, 1.0)

    found = probes.probe_learner(learner, sampler[0], carry, 1.0, 0)
    assert all(0 <= value < float("inf") for value in found.values())
    assert found["repeat_spread"] <= 1e-6
    assert ("support_gradient" in found) == learner.differentiable
    assert all(torch.equal(kept[key], value) for key, value in learner.state_dict().items())
