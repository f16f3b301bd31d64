"""R2-D2: ridge regression onto the labels, solved in closed form."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_positive
from metarobust.learners.base import LEARNERS, Classifier, Learner, memberships
from metarobust.learners.task_loss import BOTH


@LEARNERS.register("ridge")
class Ridge(Learner):
    """Ridge regression differentiable discriminator (Bertinetto et al. 2019, eq. 4 to 6).

    W = argmin ||X W - Y||^2 + lambda ||W||^2 for features X [S, d] and one-hot labels Y [S, N];
    logits are scale * X_q W + bias. Backbone, lambda, scale and bias are meta-learned. In a
    regression Y are the values, W comes with an intercept that is not penalised, and scale and bias
    have no part.

    Args:
        backbone: the embedding network.
        penalty: lambda, where it starts.
        scale: factor on the predictions, which lie near [0, 1], where it starts.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a penalty or scale that is not positive.
    """

    family = "closed form"
    paper = "Bertinetto et al., ICLR 2019"
    tasks = BOTH

    def __init__(
        self,
        backbone: nn.Module,
        *,
        penalty: float = 1.0,
        scale: float = 10.0,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("penalty", penalty)
        check_positive("scale", scale)
        self.log_penalty = nn.Parameter(torch.tensor(math.log(penalty)))
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.zeros(()))

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`. A class without support images is regressed onto zero."""
        features, statistics = self.embed_support(support_x)
        if support_y.is_floating_point():
            centre, level = features.mean(0), support_y.mean()
            slope = solve_ridge(
                features - centre, (support_y - level).unsqueeze(1), self.log_penalty.exp()
            )
            return lambda query_x: (self.embed(query_x, statistics) - centre) @ slope + level
        targets = memberships(support_y, ways).to(features.dtype)
        weight = solve_ridge(features, targets, self.log_penalty.exp())
        return lambda query_x: self.scale * self.embed(query_x, statistics) @ weight + self.bias

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        return {
            "penalty": self.log_penalty.exp().item(),
            "scale": self.scale.item(),
            "bias": self.bias.item(),
        }


def solve_ridge(x: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """The W [d, N] that minimises ||x W - y||^2 + penalty ||W||^2, by Cholesky.

    The system has the size of the smaller side of x [S, d]: (x'x + penalty I) W = x'y, or, by
    Woodbury's identity, W = x' (x x' + penalty I)^-1 y.

    >>> solve_ridge(torch.tensor([[4.0]]), torch.tensor([[10.0]]), torch.tensor(9.0))
    tensor([[1.6000]])
    """
    rows, columns = x.shape
    identity = torch.eye(min(rows, columns), dtype=x.dtype, device=x.device)
    if rows < columns:
        factor = torch.linalg.cholesky(x @ x.T + penalty * identity)
        return x.T @ torch.cholesky_solve(y, factor)
    factor = torch.linalg.cholesky(x.T @ x + penalty * identity)
    return torch.cholesky_solve(x.T @ y, factor)
