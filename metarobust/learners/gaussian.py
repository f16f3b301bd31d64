"""A Bayesian Gaussian head: each class a Gaussian, under one meta-learned prior."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_choice, check_positive, check_share
from metarobust.learners.base import LEARNERS, Classifier, Learner, memberships
from metarobust.learners.normal_inverse_wishart import (
    NormalInverseWishart,
    log_gaussian,
    log_student_t,
)


@LEARNERS.register("gaussian")
class GaussianHead(Learner):
    """Bayesian quadratic discriminant analysis, MetaQDA (Zhang et al. 2021, section 3).

    A class is a Gaussian whose mean and covariance have a meta-learned Normal-inverse-Wishart
    prior, updated in closed form by its support features. Logits are log densities of the query's
    feature: p(y | x) is their softmax. With Sigma = I (`shrinkage: 1`) and kappa to 0, the MAP
    predictive is a prototypical network's with halved distances.

    Args:
        backbone: the embedding network; the cost grows with the cube of its feature_dim.
        predictive: `student-t`, the posterior predictive density, or `map`, the Gaussian at the
            posterior mode.
        kappa: pseudo-observations behind the prior mean, where it starts.
        variance: the prior's typical variance of a feature within a class, where it starts.
        shrinkage: r in Sigma <- (1 - r) Sigma + r I, applied to the one matrix that both the
            distance and the determinant are taken of.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: an unknown predictive, a kappa or variance that is not positive, or a shrinkage
            outside [0, 1].
    """

    family = "generative"
    paper = "Zhang et al., ICCV 2021"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        predictive: str = "student-t",
        kappa: float = 0.1,
        variance: float = 1.0,
        shrinkage: float = 0.0,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("kappa", kappa)
        check_positive("variance", variance)
        check_share("shrinkage", shrinkage)
        check_choice("predictive", predictive, ("student-t", "map"))
        self.predictive = predictive
        self.shrinkage = shrinkage
        d = self.feature_dim
        self.mean = nn.Parameter(torch.zeros(d))
        self.log_kappa = nn.Parameter(torch.tensor(math.log(kappa)))
        self.log_excess = nn.Parameter(torch.tensor(math.log(d + 1)))
        self.log_diagonal = nn.Parameter(torch.full((d,), 0.5 * math.log(2 * d * variance)))
        self.lower = nn.Parameter(torch.zeros(d, d))

    @property
    def prior(self) -> NormalInverseWishart:
        """Meta-learned: nu = d - 1 + exp(log_excess); S = L L' with a positive diagonal of L."""
        factor = self.lower.tril(-1) + torch.diag(self.log_diagonal.exp())
        return NormalInverseWishart(
            mean=self.mean,
            kappa=self.log_kappa.exp(),
            nu=self.feature_dim - 1 + self.log_excess.exp(),
            scale=factor @ factor.T,
        )

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`. A class without support images is predicted by the prior."""
        features, statistics = self.embed_support(support_x)
        posterior = self.prior.posterior(features, memberships(support_y, ways))
        return lambda query_x: self.log_density(self.embed(query_x, statistics), posterior)

    def log_density(self, x: Tensor, posterior: NormalInverseWishart) -> Tensor:
        """Log p(x | class) of features [Q, d] under the posterior of each class: [Q, N]."""
        mean, kappa, nu, scale = posterior
        if self.predictive == "map":
            mode = scale / (nu + self.feature_dim + 2).view(-1, 1, 1)
            return log_gaussian(x, mean, self._shrunk(mode))
        df = nu - self.feature_dim + 1
        spread = scale * ((kappa + 1) / (kappa * df)).view(-1, 1, 1)
        return log_student_t(x, df, mean, self._shrunk(spread))

    def _shrunk(self, sigma: Tensor) -> Tensor:
        identity = torch.eye(sigma.shape[-1], dtype=sigma.dtype, device=sigma.device)
        return (1 - self.shrinkage) * sigma + self.shrinkage * identity

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`: prior strengths, and quartiles of its typical variances."""
        _, kappa, nu, scale = self.prior
        quartiles = torch.tensor([0.25, 0.5, 0.75])
        variances = (scale.diagonal() / nu).detach().cpu().float()
        return {
            "kappa": kappa.item(),
            "nu": nu.item(),
            "variances": torch.quantile(variances, quartiles).tolist(),
        }
