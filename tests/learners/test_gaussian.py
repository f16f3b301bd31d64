"""The Bayesian Gaussian head: densities, posterior updates and limits, in float64."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from metarobust.core.errors import ConfigError
from metarobust.learners.base import memberships
from metarobust.learners.gaussian import GaussianHead
from metarobust.learners.normal_inverse_wishart import (
    NormalInverseWishart,
    log_gaussian,
    log_student_t,
)
from tests.support.episodes import make_episode
from tests.support.learners import small_backbone, small_learner
from tests.support.textbook import textbook_conv4

EPISODE = make_episode(4, dtype=torch.float64)
F64 = torch.float64


def head(**options):
    """A head whose prior is none of its round initial values."""
    learner = small_learner("gaussian", **options).double()
    source = torch.Generator().manual_seed(7)
    for name in ("mean", "lower", "log_diagonal"):
        nn.init.normal_(getattr(learner, name), std=0.3, generator=source)
    return learner


def textbook_posterior(prior, x):
    """The formula of raw second moments: S_N = S + sum x x' + kappa m m' - kappa_N m_N m_N'."""
    m, kappa, nu, s = (t.detach().numpy() for t in prior)
    count = len(x)
    kappa_n, nu_n = kappa + count, nu + count
    m_n = (kappa * m + x.sum(0)) / kappa_n
    s_n = s + x.T @ x + kappa * np.outer(m, m) - kappa_n * np.outer(m_n, m_n)
    return m_n, kappa_n, nu_n, s_n


@pytest.mark.parametrize("shots", [1, 2, 5])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
@pytest.mark.parametrize("predictive", ["student-t", "map"])
def test_logits_are_scipy_s_densities_of_the_textbook_posterior(predictive, shrinkage, shots):
    learner = head(predictive=predictive, shrinkage=shrinkage)
    episode = make_episode(4, shots=shots, dtype=F64)
    net = textbook_conv4(learner.backbone, training=False)
    with torch.no_grad():
        support, queries = net(episode.support_x).numpy(), net(episode.query_x).numpy()
    d = queries.shape[1]
    expected = np.empty((len(queries), 3))
    for c in range(3):
        m, kappa, nu, s = textbook_posterior(learner.prior, support[episode.support_y == c])
        sigma = s / (nu + d + 2)
        if predictive == "student-t":
            sigma = s * (kappa + 1) / (kappa * (nu - d + 1))
        sigma = (1 - shrinkage) * sigma + shrinkage * np.eye(d)
        family = stats.multivariate_normal(m, sigma)
        if predictive == "student-t":
            family = stats.multivariate_t(m, sigma, df=nu - d + 1)
        expected[:, c] = family.logpdf(queries)
    actual = learner(episode.support_x, episode.support_y, episode.query_x, 3)
    torch.testing.assert_close(actual.detach(), torch.from_numpy(expected), rtol=1e-5, atol=1e-8)


def small_posterior(dimension):
    prior = NormalInverseWishart(
        torch.full((dimension,), 0.2, dtype=F64),
        torch.tensor(0.5, dtype=F64),
        torch.tensor(dimension + 2.0, dtype=F64),
        torch.eye(dimension, dtype=F64) + 0.3,
    )
    x = torch.randn(5, dimension, generator=torch.Generator().manual_seed(1), dtype=F64)
    return prior.posterior(x, memberships(torch.tensor([0, 0, 0, 1, 1]), 3))


class Plain(GaussianHead):
    """The head alone, for features of any length."""

    def __init__(self, dimension, **options):
        backbone = nn.Module()
        backbone.feature_dim = dimension
        super().__init__(backbone, **options)


@pytest.mark.parametrize("shrinkage", [0.0, 0.4])
@pytest.mark.parametrize("predictive", ["student-t", "map"])
def test_densities_on_the_line_integrate_to_one(predictive, shrinkage):
    learner = Plain(1, predictive=predictive, shrinkage=shrinkage)
    posterior = small_posterior(1)
    for c in range(3):

        def density(x, c=c):
            return learner.log_density(torch.tensor([[x]], dtype=F64), posterior)[0, c].exp().item()

        total, _ = integrate.quad(density, -np.inf, np.inf, epsabs=1e-9)
        assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("shrinkage", [0.0, 0.4])
@pytest.mark.parametrize("predictive", ["student-t", "map"])
def test_densities_on_the_plane_integrate_to_one(predictive, shrinkage):
    learner = Plain(2, predictive=predictive, shrinkage=shrinkage)
    # The plane as the square: x = tan(t) has the density 1 + x^2.
    t = (torch.arange(800, dtype=F64) + 0.5) / 800 * torch.pi - torch.pi / 2
    x = t.tan()
    points = torch.cartesian_prod(x, x)
    density = learner.log_density(points, small_posterior(2)).exp()
    stretch = (1 + points.square()).prod(1, keepdim=True)
    total = (density * stretch).sum(0) * (torch.pi / 800) ** 2
    torch.testing.assert_close(total, torch.ones(3, dtype=F64), rtol=1e-4, atol=0)


def test_the_predictive_is_the_posterior_s_average_of_gaussians():
    # Student-t in closed form, against 200,000 draws of mean and covariance.
    posterior = small_posterior(2)
    learner = Plain(2)
    source = np.random.default_rng(0)
    m, kappa, nu, s = (t[0].numpy() for t in posterior)
    covariances = stats.invwishart(df=float(nu), scale=s).rvs(200_000, random_state=source)
    factors = np.linalg.cholesky(covariances / kappa)
    means = m + np.einsum("nij,nj->ni", factors, source.standard_normal((200_000, 2)))
    points = torch.tensor([[0.0, 0.0], [1.0, -0.5]], dtype=F64)
    for point, closed in zip(points, learner.log_density(points, posterior)[:, 0], strict=True):
        offset = point.numpy() - means
        squares = np.einsum(
            "ni,ni->n", offset, np.linalg.solve(covariances, offset[..., None])[..., 0]
        )
        densities = np.exp(-squares / 2) / (2 * np.pi * np.sqrt(np.linalg.det(covariances)))
        assert closed.exp().item() == pytest.approx(densities.mean(), rel=0.02)


def test_protonet_is_a_limit():
    learner = GaussianHead(small_backbone(), predictive="map", shrinkage=1.0, kappa=1e-12).double()
    proto = small_learner("protonet").double()
    args = (EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, 3)
    half_distances = proto(*args) / 2
    difference = learner.eval()(*args) - half_distances
    torch.testing.assert_close(difference, difference[:, :1].expand(-1, 3), rtol=0, atol=1e-8)


@pytest.mark.parametrize("predictive", ["student-t", "map"])
def test_protonet_is_a_limit_of_the_prior(predictive):
    # nu to infinity with S = nu I pins every covariance to I; the predictive then averages over the
    # mean of K shots alone, whose variance is I / K.
    learner = small_learner("gaussian", predictive=predictive, kappa=1e-12).double()
    nn.init.constant_(learner.log_excess, math.log(1e9))
    nn.init.constant_(learner.log_diagonal, math.log(1e9) / 2)
    args = (EPISODE.support_x, EPISODE.support_y, EPISODE.query_x, 3)
    variance = 1 if predictive == "map" else 1 + 1 / 2
    expected = small_learner("protonet").double()(*args) / (2 * variance)
    difference = learner(*args) - expected
    torch.testing.assert_close(difference, difference[:, :1].expand(-1, 3), rtol=0, atol=1e-5)


def test_a_class_without_images_is_predicted_by_the_prior():
    learner = head()
    posterior = learner.prior.posterior(
        torch.randn(2, 4, dtype=F64), memberships(torch.tensor([0, 0]), 2)
    )
    for after, before in zip(posterior, learner.prior, strict=True):
        torch.testing.assert_close(after[1], before)


def test_student_t_of_many_degrees_of_freedom_is_the_gaussian():
    x, mean = torch.randn(3, 2, dtype=F64), torch.zeros(1, 2, dtype=F64)
    sigma = torch.tensor([[[2.0, 0.5], [0.5, 1.0]]], dtype=F64)
    many = torch.tensor([1e9], dtype=F64)
    torch.testing.assert_close(
        log_student_t(x, many, mean, sigma), log_gaussian(x, mean, sigma), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("options", [{"predictive": "mode"}, {"shrinkage": 1.5}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError, match="expected"):
        small_learner("gaussian", **options)
