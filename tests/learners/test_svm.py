"""The support vector machine against scikit-learn's, and its projection, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import LinearSVC
from torch.nn import functional as F

from metarobust.learners.svm import fit_svm, project_simplex
from tests.support.episodes import make_episode
from tests.support.learners import small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, shots=4, dtype=torch.float64)


def sklearn_weights(x, labels, penalty):
    machine = LinearSVC(
        multi_class="crammer_singer", C=penalty, fit_intercept=False, tol=1e-10, max_iter=10**6
    )
    return torch.from_numpy(machine.fit(x.numpy(), labels.numpy()).coef_)


@pytest.mark.parametrize("penalty", [0.1, 1.0])
def test_it_is_scikit_learns_machine(penalty):
    learner = small_learner("svm", penalty=penalty, head_steps=10_000, scale=3.0).double()
    net = textbook_conv4(learner.backbone, training=False)
    with torch.no_grad():
        support, queries = net(EPISODE.support_x), net(EPISODE.query_x)
        actual = learner(EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, 3)
    expected = 3.0 * queries @ sklearn_weights(support, EPISODE.support_y, penalty).T
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_the_default_steps_are_near_the_optimum():
    source = torch.Generator().manual_seed(0)
    labels = torch.arange(5).repeat_interleave(5)
    means = torch.randn(5, 32, generator=source, dtype=torch.float64)
    x = means[labels] + torch.randn(25, 32, generator=source, dtype=torch.float64)
    weight = fit_svm(x, F.one_hot(labels, 5).double(), 0.1, 100)
    expected = sklearn_weights(x, labels, 0.1).T
    assert (weight - expected).norm() < 0.01 * expected.norm()


@given(
    st.lists(st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=1, max_size=4),
    st.floats(0.1, 3),
)
def test_the_projection_is_the_nearest_point_of_the_simplex(rows, size):
    points = torch.tensor(rows, dtype=torch.float64)
    found = project_simplex(points, size)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(1), torch.full((len(rows),), size, dtype=torch.float64))
    # Nearest in a convex set: no corner lies at an acute angle from what was cut off.
    corners = size * torch.eye(3, dtype=torch.float64)
    toward = corners.unsqueeze(0) - found.unsqueeze(1)
    assert ((toward * (points - found).unsqueeze(1)).sum(2) <= 1e-9).all()
