"""MAML: a few gradient steps from a meta-learned initialisation."""

from typing import Any

from torch import nn

from metarobust.learners.base import LEARNERS
from metarobust.learners.gradient_learner import GradientLearner


@LEARNERS.register("maml")
class MAML(GradientLearner):
    """Model-agnostic meta-learning (Finn, Abbeel & Levine 2017, algorithm 2).

    theta_0 = theta; theta_{k+1} = theta_k - inner_rate * grad L_S(theta_k): backbone and linear
    head both take the inner steps, on the mean cross-entropy of the support set.

    Args:
        backbone: the embedding network.
        first_order: FOMAML: ignore second derivatives in training. Attacks through adaptation
            still see them unless they ask not to.
        options: those of `GradientLearner`.
    """

    family = "initialisation"
    paper = "Finn, Abbeel & Levine, ICML 2017"

    def __init__(self, backbone: nn.Module, *, first_order: bool = False, **options: Any) -> None:
        super().__init__(backbone, **options)
        self.first_order = first_order
