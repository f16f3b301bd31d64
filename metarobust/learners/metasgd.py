"""Meta-SGD: MAML with a meta-learned rate for every single weight."""

from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from metarobust.learners.base import LEARNERS
from metarobust.learners.inner_loop import Rule, Weights
from metarobust.learners.maml import MAML


@LEARNERS.register("metasgd")
class MetaSGD(MAML):
    """theta' = theta - alpha * grad L_S(theta), entry by entry (Li, Zhou, Chen & Li 2017, eq. 2).

    Start theta and rates alpha are learned together. As in the paper the rates are free in sign,
    and one inner step is the default; all start at `inner_rate`.

    Args:
        backbone: the embedding network.
        inner_steps: gradient steps on the support set.
        options: those of `MAML`; every rate starts at `inner_rate`.
    """

    family = "learned rates"
    paper = "Li, Zhou, Chen & Li, 2017"

    def __init__(self, backbone: nn.Module, *, inner_steps: int = 1, **options: Any) -> None:
        super().__init__(backbone, inner_steps=inner_steps, **options)
        leaves, _ = tree_flatten(self.start())
        self.rates = nn.ParameterList(torch.full_like(leaf, self.inner_rate) for leaf in leaves)

    def rule(self) -> Rule:
        """See `GradientLearner.rule`."""

        def update(weights: Weights, grads: Weights, step: int) -> Weights:
            values, spec = tree_flatten(weights)
            slopes, _ = tree_flatten(grads)
            moved = [
                value - rate * slope
                for value, rate, slope in zip(values, self.rates, slopes, strict=True)
            ]
            new: Weights = tree_unflatten(moved, spec)
            return new

        return update

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`: the quartiles of the rates of each tensor."""
        names = [f"{part}.{name}" for part, named in self.start().items() for name in named]
        quartiles = torch.tensor([0.25, 0.5, 0.75])
        return {
            "rates": {
                name: torch.quantile(rate.detach().cpu().float().flatten(), quartiles).tolist()
                for name, rate in zip(names, self.rates, strict=True)
            }
        }
