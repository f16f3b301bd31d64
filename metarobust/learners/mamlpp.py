"""MAML++: rates learned for each layer and step, and a loss at every step."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from metarobust.core.option_checks import check_at_least, check_share
from metarobust.learners.base import LEARNERS
from metarobust.learners.inner_loop import Rule, Weights
from metarobust.learners.maml import MAML
from metarobust.learners.task_loss import task_loss


@LEARNERS.register("mamlpp")
class MAMLPlusPlus(MAML):
    """MAML with learned rates and the multi-step loss (Antoniou, Edwards & Storkey 2019).

    Of the paper's changes: per-layer per-step learning rates (section 4, LSLR) and multi-step loss
    optimisation (MSL). Each parameter tensor counts as a layer.

    Args:
        backbone: the embedding network.
        rate_steps: steps that have rates of their own; later ones use the rates of the last.
        multi_step: share of the meta-loss in [0, 1] that is the mean of the query losses after each
            inner step; the rest is the loss after the last. The paper anneals it to 0; here it is
            constant.
        options: those of `MAML`; every rate starts at `inner_rate`.

    Raises:
        ConfigError: a share outside [0, 1], or no step with rates of its own.
    """

    family = "learned rates"
    paper = "Antoniou, Edwards & Storkey, ICLR 2019"

    def __init__(
        self, backbone: nn.Module, *, rate_steps: int = 5, multi_step: float = 0.5, **options: Any
    ) -> None:
        super().__init__(backbone, **options)
        check_at_least("rate_steps", rate_steps, 1)
        check_share("multi_step", multi_step)
        self.multi_step = multi_step
        leaves, _ = tree_flatten(self.start())
        self.rates = nn.Parameter(torch.full((rate_steps, len(leaves)), float(self.inner_rate)))

    def rule(self) -> Rule:
        """See `GradientLearner.rule`."""

        def update(weights: Weights, grads: Weights, step: int) -> Weights:
            values, spec = tree_flatten(weights)
            slopes, _ = tree_flatten(grads)
            rates = self.rates[min(step, len(self.rates) - 1)]
            moved = [
                value - rates[layer] * slope
                for layer, (value, slope) in enumerate(zip(values, slopes, strict=True))
            ]
            new: Weights = tree_unflatten(moved, spec)
            return new

        return update

    def meta_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        *,
        ways: int,
    ) -> Tensor:
        """See `Learner.meta_loss`: the multi-step loss; without steps, that of the start."""
        self.check_ways(ways)
        start, *steps = self.trajectory([(support_x, support_y)] * self.inner_steps)
        losses = torch.stack(
            [
                task_loss(self.classifier(support_x, weights)(query_x), query_y)
                for weights in steps or [start]
            ]
        )
        return (1 - self.multi_step) * losses[-1] + self.multi_step * losses.mean()

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`: the rates of each tensor, step by step."""
        names = [f"{part}.{name}" for part, named in self.start().items() for name in named]
        columns = self.rates.detach().T.tolist()
        return {"rates": dict(zip(names, columns, strict=True))}
