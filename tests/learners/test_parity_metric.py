"""Metric and closed-form learners against short independent versions, in float64."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge
from torch.nn import functional as F

from metarobust.core.errors import ConfigError
from metarobust.learners.ridge import solve_ridge
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, dtype=torch.float64)


def logits(learner, episode=EPISODE):
    return learner(episode.support_x, episode.support_y, episode.query_x, 3)


def embedded(learner, episode=EPISODE):
    net = textbook_conv4(learner.backbone, training=learner.norm_mode == "batch")
    return net(episode.support_x), net(episode.query_x)


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("mode", ["running", "batch"])
def test_matching_probabilities_are_attention_times_labels(mode, scale):
    learner = small_learner("matching", norm_mode=mode, scale=scale).double()
    support, queries = embedded(learner)
    probabilities = torch.zeros(len(queries), 3, dtype=torch.float64)
    for i, query in enumerate(queries):
        attention = (scale * F.cosine_similarity(query, support, dim=-1)).softmax(0)
        for a, label in zip(attention, EPISODE.support_y, strict=True):
            probabilities[i, label] += a
    torch.testing.assert_close(logits(learner).softmax(1), probabilities, rtol=1e-5, atol=1e-8)


def test_at_scale_one_matching_is_never_sure():
    assert 5 * math.e / (5 * math.e + 20 / math.e) < 0.65


def test_matching_gives_a_class_without_images_the_least_logit():
    learner = small_learner("matching").double()
    noisy = EPISODE._replace(support_y=EPISODE.support_y.clamp(max=1))
    out = logits(learner, noisy)
    assert (out[:, 2] <= out[:, :2].min(1).values).all()


def test_relation_scores_each_pair_of_class_and_query():
    learner = small_learner("relation", hidden=5).double()
    support, queries = embedded(learner)
    first, _, second, _, last = learner.relation
    expected = torch.empty(len(queries), 3, dtype=torch.float64)
    for i, query in enumerate(queries):
        for c in range(3):
            pair = torch.cat([support[EPISODE.support_y == c].mean(0), query])
            hidden = (first.weight @ pair + first.bias).clamp(min=0)
            hidden = (second.weight @ hidden + second.bias).clamp(min=0)
            expected[i, c] = last.weight[0] @ hidden + last.bias[0]
    torch.testing.assert_close(logits(learner), expected, rtol=1e-5, atol=1e-8)


def test_relation_s_losses():
    losses = {}
    for loss in ("cross-entropy", "mse"):
        learner = small_learner("relation", loss=loss).double()
        losses[loss] = learner.meta_loss(
            EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, EPISODE.query_y, ways=3
        )
        scores = logits(learner)
    right = torch.eye(3, dtype=torch.float64)[EPISODE.query_y]
    mse = ((1 / (1 + (-scores).exp()) - right) ** 2).mean()
    entropy = -(scores.log_softmax(1) * right).sum(1).mean()
    torch.testing.assert_close(losses["mse"], mse)
    torch.testing.assert_close(losses["cross-entropy"], entropy)
    with pytest.raises(ConfigError, match="expected one of cross-entropy, mse, got 'l1'"):
        small_learner("relation", loss="l1")


@pytest.mark.parametrize("shots", [1, 2, 7])
def test_ridge_is_ridge_regression(shots):
    learner = small_learner("ridge", penalty=0.3, scale=2.0).double()
    learner.bias.data.fill_(0.7)
    episode = make_episode(4, shots=shots, dtype=torch.float64)
    support, queries = (t.detach().numpy() for t in embedded(learner, episode))
    model = SklearnRidge(alpha=0.3, fit_intercept=False, solver="svd")
    model.fit(support, np.eye(3)[episode.support_y])
    expected = torch.from_numpy(2 * model.predict(queries) + 0.7)
    torch.testing.assert_close(logits(learner, episode).detach(), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("shape", [(3, 8), (8, 8), (20, 8)])
def test_ridge_solves_the_normal_equations_on_both_sides_of_woodbury(shape):
    source = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=source, dtype=torch.float64, requires_grad=True)
    y = torch.randn(shape[0], 4, generator=source, dtype=torch.float64)
    penalty = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    weight = solve_ridge(x, y, penalty)
    torch.testing.assert_close(x.T @ (x @ weight - y) + penalty * weight, torch.zeros_like(weight))
    assert torch.autograd.gradcheck(lambda a, p: solve_ridge(a, y, p), (x, penalty))
