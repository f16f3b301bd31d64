"""Certificates against closed forms, and never above what the strongest attack leaves."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.certificates import Smoothing, certifies
from metarobust.assembly.data_threats import Clean
from metarobust.audit.cell import carry_out
from metarobust.config.catalogue import load_recipe
from metarobust.core.errors import ConfigError
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner
from metarobust.learners.trimmed import Trimmed
from tests.support.learners import small_learner
from tests.support.pattern_set import pattern_set

SIGMA = 0.2
MANY = Smoothing(sigma=SIGMA, selection=200, samples=20_000, alpha=1e-3)


class Flat(nn.Module):
    feature_dim = 256

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x, statistics):
        return x.flatten(1)


class Plane(Learner):
    """A linear classifier of two classes, the same for every task; it knows nothing of them."""

    def __init__(self):
        super().__init__(Flat())
        source = torch.Generator().manual_seed(0)
        self.weight = torch.randn(256, generator=source) / 16
        self.offset = 0.5 * self.weight.sum()

    def distance(self, x):
        return (x.flatten(1) @ self.weight - self.offset) / self.weight.norm()

    def adapt(self, support_x, support_y, *, ways, generator=None, first_order=False):
        def classify(x):
            signed = self.distance(x)
            return torch.stack([signed, -signed], dim=1)

        return classify


def episode(ways=2, shots=2, noise=0.12):
    protocol = Protocol(ways=ways, shots=shots, queries=6, attacker_queries=0)
    return EpisodeSampler(pattern_set(noise=noise), protocol, seed=3)[0]


def test_the_radius_of_a_linear_classifier_is_its_margin():
    """Cohen et al. 2019, proposition 5: smoothing leaves a linear classifier as it is, and the
    certified radius tends to the distance from the boundary."""
    learner, task = Plane(), episode()
    truth = learner.distance(task.query_x)
    task = task._replace(query_y=(truth < 0).long())
    found = carry_out(MANY, learner, [task], 0, 1.0).certified_radius[0]
    assert (found <= truth.abs() + 1e-6).all()
    # 200 votes choose a class that wins by little only by luck.
    inside = (truth.abs() > 0.05) & (truth.abs() < 3 * SIGMA)
    assert inside.sum() >= 4
    np.testing.assert_allclose(found[inside], truth.abs()[inside], atol=0.03)


def test_a_wrong_answer_is_never_certified():
    learner, task = Plane(), episode()
    wrong = task._replace(query_y=(learner.distance(task.query_x) >= 0).long())
    assert (carry_out(MANY, learner, [wrong], 0, 1.0).certified_radius == -1).all()


def test_no_move_within_the_radius_changes_the_smoothed_answer():
    learner = small_learner("protonet").eval().requires_grad_(False)
    task = episode(ways=3)
    threat = Smoothing(sigma=SIGMA, selection=50, samples=2000)
    clean = carry_out(threat, learner, [task], 0, 1.0)
    radius = clean.certified_radius[0]
    assert (radius > 0).any()
    classify = learner.adapt(task.support_x, task.support_y, ways=3)
    with torch.enable_grad():
        x = task.query_x.clone().requires_grad_()
        logits = classify(x)
        own = logits.gather(1, task.query_y[:, None]).sum()
        (worst,) = torch.autograd.grad(-own, x)
    length = worst.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    step = worst / length * radius.clamp(min=0).view(-1, 1, 1, 1) * 0.999
    moved = carry_out(threat, learner, [task._replace(query_x=task.query_x + step)], 1, 1.0)
    held = moved.logits[0].argmax(1) == task.query_y
    certified, empirical = (radius > 0).double().mean(), held.double().mean()
    assert held[radius > 0].all()
    assert certified <= empirical


def test_the_recipe_builds_it_and_impossible_numbers_are_refused():
    recipe = load_recipe("certify-smoothing-l2")
    assert build_threat(recipe) == Smoothing(sigma=0.25)
    for options in ({"sigma": 0.0}, {"sigma": 0.1, "alpha": 1.0}, {"sigma": 0.1, "samples": 0}):
        with pytest.raises(ConfigError, match="smoothing: expected"):
            build_threat(recipe.model_copy(update={"options": options}))
    protocol = Protocol(ways=2, shots=1, queries=1, attacker_queries=0)
    transductive = small_learner("protonet", norm_mode="batch")
    assert "norm_mode batch" in Smoothing(sigma=0.1).objection(transductive, protocol)


def replaced(task, rows, images):
    support = task.support_x.clone()
    support[list(rows)] = images
    return task._replace(support_x=support)


def test_certified_poison_is_never_above_what_the_strongest_replacement_leaves():
    """Every choice of T images of each class, replaced by the queries that confuse most."""
    learner = Trimmed(Flat()).eval().requires_grad_(False)
    task = episode(shots=3, noise=0.25)
    clean = carry_out(Clean(), learner, [task], 0, 1.0)
    proven = clean.certified_poison[0]
    right = clean.logits[0].argmax(1) == task.query_y
    assert certifies(learner)
    assert ((proven >= 0) == right).all()
    assert (proven >= 1).any()
    held = right.clone()
    classes = [(task.support_y == c).nonzero().squeeze(1).tolist() for c in range(2)]
    fillings = [
        *(torch.full((1, 16, 16), value) for value in (0.0, 0.5, 1.0)),
        *task.query_x,
    ]
    for rows in itertools.product(*classes):
        for one, other in itertools.product(fillings, fillings):
            poisoned = replaced(task, rows, torch.stack([one, other]))
            logits = learner(poisoned.support_x, task.support_y, task.query_x, 2)
            held &= logits.argmax(1) == task.query_y
    assert held[proven >= 1].all()
    assert (proven >= 1).double().mean() <= held.double().mean()
    assert held.sum() < right.sum(), "the poisoning must do something, or nothing is tested"


def test_shared_statistics_prove_nothing():
    shared = small_learner("trimmed", norm_mode="support").eval()
    assert not certifies(shared)
    assert Clean().certificates(shared) == ()
    found = carry_out(Clean(), shared, [episode()], 0, 1.0)
    assert (found.certified_poison == -1).all()
