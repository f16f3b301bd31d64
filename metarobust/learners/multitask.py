"""Multi-task training: one backbone under the joint heads of all tasks, then a new head."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_positive
from metarobust.learners.base import LEARNERS, Classifier, Learner, memberships


@LEARNERS.register("multitask")
class MultiTask(Learner):
    """Joint multi-task training, the yardstick of Wang, Zhao & Li 2021, and a logistic head.

    The backbone is trained (`objective: classification`) under one linear head for each group of
    meta-train classes, an alphabet for example: an image is classified among the classes of its own
    group. Where the data set has no groups there is one task of all classes. The heads are thrown
    away. Groups as tasks are this file's choice; the paper draws tasks at random.

    A new task gets the head of Tian et al. 2020 ("Rethinking few-shot image classification"):
    multinomial logistic regression with an l2 penalty on L2-normalised features, here by a fixed
    number of accelerated gradient steps from zero, so that it is differentiable.

    Args:
        backbone: the embedding network.
        penalty: lambda in sum of cross-entropies + lambda / 2 ||W||^2, scikit-learn's 1 / C; the
            bias is free.
        head_steps: steps that fit the head.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a penalty that is not positive, or no step.
    """

    family = "transfer"
    paper = "Wang, Zhao & Li, ICML 2021; Tian et al., ECCV 2020"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        penalty: float = 0.1,
        head_steps: int = 100,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("penalty", penalty)
        check_at_least("head_steps", head_steps, 1)
        self.penalty = penalty
        self.head_steps = head_steps

    def pretraining_loss(
        self, head: nn.Module, features: Tensor, labels: Tensor, groups: Tensor
    ) -> Tensor:
        """See `Learner.pretraining_loss`: cross-entropy among the classes of an image's group."""
        own = groups[labels].unsqueeze(1) == groups
        return F.cross_entropy(head(features).masked_fill(~own, -math.inf), labels)

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`. A class without support images gets a small probability."""
        features, statistics = self.embed_support(support_x)
        targets = memberships(support_y, ways).to(features.dtype)
        weight, bias = fit_logistic(
            F.normalize(features, dim=1), targets, self.penalty, self.head_steps
        )

        def classify(query_x: Tensor) -> Tensor:
            return F.normalize(self.embed(query_x, statistics), dim=1) @ weight + bias

        return classify


def fit_logistic(x: Tensor, y: Tensor, penalty: float, steps: int) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression of unit vectors, by Nesterov's accelerated gradient.

    The mean loss has a Hessian of at most 1 + penalty / S: a softmax's is at most 1/2 and an
    augmented vector (x, 1) has a squared length of 2. So the step that always descends is known;
    the momentum is that of a strongly convex problem (Nesterov 2004, section 2.2).

    Args:
        x: unit vectors [S, d].
        y: one-hot labels [S, N].
        penalty: of half the squared weights, beside the sum of the losses.
        steps: how many are taken from zero.

    Returns:
        Weight [d, N] and bias [N].
    """
    strength = penalty / len(x)
    condition = math.sqrt((1 + strength) / strength)
    momentum, rate = (condition - 1) / (condition + 1), 1 / (1 + strength)
    weight, bias = x.new_zeros(x.shape[1], y.shape[1]), x.new_zeros(y.shape[1])
    ahead_weight, ahead_bias = weight, bias
    for _ in range(steps):
        residual = ((x @ ahead_weight + ahead_bias).softmax(1) - y) / len(x)
        new_weight = ahead_weight - rate * (x.T @ residual + strength * ahead_weight)
        new_bias = ahead_bias - rate * residual.sum(0)
        ahead_weight = new_weight + momentum * (new_weight - weight)
        ahead_bias = new_bias + momentum * (new_bias - bias)
        weight, bias = new_weight, new_bias
    return weight, bias
