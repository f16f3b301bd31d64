"""The multi-task baseline: joint heads by hand, a logistic head by scikit-learn, in float64."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from metarobust.learners.multitask import fit_logistic
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, shots=4, dtype=torch.float64)


def sklearn_logits(x, y, queries, penalty):
    fitted = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=10_000).fit(x, y)
    return queries @ fitted.coef_.T + fitted.intercept_


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_the_head_is_scikit_learns_logistic_regression(penalty):
    learner = small_learner("multitask", penalty=penalty, head_steps=2000).double()
    net = textbook_conv4(learner.backbone, training=False)
    with torch.no_grad():
        support, queries = (
            F.normalize(net(x)).numpy() for x in (EPISODE.support_x, EPISODE.query_x)
        )
        actual = learner(EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, 3).log_softmax(1)
    expected = sklearn_logits(support, EPISODE.support_y.numpy(), queries, penalty)
    torch.testing.assert_close(
        actual, torch.from_numpy(expected).log_softmax(1), rtol=1e-5, atol=1e-6
    )


def test_the_default_steps_are_enough():
    source = torch.Generator().manual_seed(0)
    labels = torch.arange(5).repeat_interleave(5)
    x = F.normalize(torch.randn(25, 32, generator=source, dtype=torch.float64), dim=1)
    targets = F.one_hot(labels, 5).double()
    weight, bias = fit_logistic(x, targets, 0.1, 100)
    expected = sklearn_logits(x.numpy(), labels.numpy(), x.numpy(), 0.1)
    difference = (x @ weight + bias).softmax(1) - torch.from_numpy(expected).softmax(1)
    assert difference.abs().max() < 1e-3


def test_an_image_is_classified_among_the_classes_of_its_own_group():
    learner = small_learner("multitask").double()
    groups = torch.tensor([0, 1, 0, 1, 1])
    head = nn.Linear(4, 5).double()
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    labels = torch.tensor([0, 1, 2, 3, 4, 1])
    tasks = {0: [0, 2], 1: [1, 3, 4]}
    losses = []
    for feature, label in zip(features, labels.tolist(), strict=True):
        classes = tasks[int(groups[label])]
        scores = head(feature)[classes]
        losses.append(scores.exp().sum().log() - scores[classes.index(label)])
    actual = learner.pretraining_loss(head, features, labels, groups)
    torch.testing.assert_close(actual, torch.stack(losses).mean())


def test_without_groups_it_is_ordinary_classification():
    learner, head = small_learner("multitask").double(), nn.Linear(4, 5).double()
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    labels = torch.tensor([0, 1, 2, 3, 4, 1])
    actual = learner.pretraining_loss(head, features, labels, torch.zeros(5, dtype=torch.int64))
    torch.testing.assert_close(actual, F.cross_entropy(head(features), labels))
