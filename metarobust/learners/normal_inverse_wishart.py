"""Gaussians of unknown mean and covariance: their conjugate prior and its densities."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class NormalInverseWishart(NamedTuple):
    """A distribution of a Gaussian's mean and covariance, or one for each class.

    mean | covariance ~ N(mean, covariance / kappa); covariance ~ InverseWishart(scale, nu).

    Attributes:
        mean: m [..., d].
        kappa: pseudo-observations of the mean [...], positive.
        nu: degrees of freedom [...], above d - 1.
        scale: S [..., d, d], positive definite.
    """

    mean: Tensor
    kappa: Tensor
    nu: Tensor
    scale: Tensor

    def posterior(self, x: Tensor, members: Tensor) -> "NormalInverseWishart":
        """The distribution of each class after its observations (Murphy 2012, section 4.6.3).

        The scatter is taken about the class mean, where m_N m_N' subtracted from raw second
        moments would cancel. A class without observations keeps the prior.

        Args:
            x: observations [S, d].
            members: which belongs to which class, bool [S, N].
        """
        weights = members.to(x.dtype)
        counts = weights.sum(0)
        means = weights.T @ x / counts.clamp(min=1).unsqueeze(1)
        centred = (x.unsqueeze(1) - means) * weights.unsqueeze(2)
        scatter = torch.einsum("sni,snj->nij", centred, centred)
        kappa = self.kappa + counts
        shift = means - self.mean
        pull = (self.kappa * counts / kappa).view(-1, 1, 1)
        return NormalInverseWishart(
            mean=self.mean + (counts / kappa).unsqueeze(1) * shift,
            kappa=kappa,
            nu=self.nu + counts,
            scale=self.scale + scatter + pull * shift.unsqueeze(2) * shift.unsqueeze(1),
        )


def log_gaussian(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Log of N(x; mean, covariance) of points [Q, d] under each of N Gaussians: [Q, N]."""
    squares, half_logdet = _mahalanobis(x, mean, covariance)
    return -0.5 * (squares + x.shape[1] * math.log(2 * math.pi)) - half_logdet


def log_student_t(x: Tensor, df: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Log density of points [Q, d] under each of N multivariate Student-t distributions: [Q, N].

    Args:
        x: points [Q, d].
        df: degrees of freedom [N].
        mean: locations [N, d].
        scale: scale matrices [N, d, d], positive definite.
    """
    d = x.shape[1]
    squares, half_logdet = _mahalanobis(x, mean, scale)
    constant = torch.lgamma((df + d) / 2) - torch.lgamma(df / 2) - d / 2 * (df * math.pi).log()
    return constant - half_logdet - (df + d) / 2 * torch.log1p(squares / df)


def _mahalanobis(x: Tensor, mean: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(x - mean)' matrix^-1 (x - mean) [Q, N], and half the log determinants [N]."""
    factor = torch.linalg.cholesky(matrix)
    offsets = (x.unsqueeze(0) - mean.unsqueeze(1)).mT
    white = torch.linalg.solve_triangular(factor, offsets, upper=False)
    return white.square().sum(1).T, factor.diagonal(dim1=1, dim2=2).log().sum(1)
