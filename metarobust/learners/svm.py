"""MetaOptNet: a linear multi-class support vector machine fitted to the support set."""

from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_positive
from metarobust.learners.base import LEARNERS, Classifier, Learner, memberships


@LEARNERS.register("svm")
class SVM(Learner):
    """A differentiable linear classifier (Lee, Maji, Ravichandran & Soatto 2019, section 3.2).

    The machine is that of Crammer & Singer 2001, without a bias, as in the paper:
    min 1/2 sum ||w_k||^2 + C sum xi_n, with w_y . f_n - w_k . f_n >= 1 - xi_n for each k other than
    the label y. Logits are scale * w_k . f. Backbone and scale are meta-learned. The paper solves
    the dual by an interior-point method and differentiates its optimum; here it is climbed by a
    fixed number of accelerated projected steps, through which gradients pass.

    Args:
        backbone: the embedding network.
        penalty: C, the price of a unit of slack.
        head_steps: steps that fit the machine.
        scale: factor on the scores, where it starts.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a penalty or scale that is not positive, or no step.
    """

    family = "closed form"
    paper = "Lee, Maji, Ravichandran & Soatto, CVPR 2019"
    version = 2

    def __init__(
        self,
        backbone: nn.Module,
        *,
        penalty: float = 0.1,
        head_steps: int = 100,
        scale: float = 1.0,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("penalty", penalty)
        check_at_least("head_steps", head_steps, 1)
        check_positive("scale", scale)
        self.penalty = penalty
        self.head_steps = head_steps
        self.scale = nn.Parameter(torch.tensor(float(scale)))

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`. A class without support images is only pushed away."""
        features, statistics = self.embed_support(support_x)
        targets = memberships(support_y, ways).to(features.dtype)
        weight = fit_svm(features, targets, self.penalty, self.head_steps)
        return lambda query_x: self.scale * self.embed(query_x, statistics) @ weight

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        return {"scale": self.scale.item()}


def fit_svm(x: Tensor, y: Tensor, penalty: float, steps: int) -> Tensor:
    """The weights [d, N] of a Crammer-Singer support vector machine, by its dual.

    With alpha = C y - beta, the dual is min 1/2 tr(alpha' x x' alpha) - sum(alpha * y) over rows of
    beta on the simplex of size C: a smooth function whose gradient's Lipschitz constant is the
    largest eigenvalue of x x', so FISTA (Beck & Teboulle 2009) needs no line search. It starts at
    alpha = 0.

    Args:
        x: features [S, d].
        y: one-hot labels [S, N].
        penalty: C.
        steps: how many are taken.
    """
    gram = x @ x.T
    rate = 1 / torch.linalg.eigvalsh(gram)[-1].clamp(min=torch.finfo(x.dtype).tiny)
    beta = ahead = penalty * y
    for step in range(steps):
        slope = gram @ (penalty * y - ahead) - y
        new = project_simplex(ahead + rate * slope, penalty)
        ahead = new + step / (step + 3) * (new - beta)
        beta = new
    return x.T @ (penalty * y - beta)


def project_simplex(rows: Tensor, size: float) -> Tensor:
    """The nearest non-negative rows [S, N] of the given sum (Duchi et al. 2008, figure 1).

    >>> project_simplex(torch.tensor([[3.0, 1.0], [0.5, 0.5]]), 1.0)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    descending = rows.sort(dim=1, descending=True).values
    excess = descending.cumsum(1) - size
    counts = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype, device=rows.device)
    support = (descending * counts > excess).sum(1, keepdim=True)
    return (rows - excess.gather(1, support - 1) / support).clamp(min=0)
