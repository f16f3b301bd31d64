"""MAML: a few gradient steps from a meta-learned initialisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import NormMode
from metarobust.learners.base import LEARNERS, Classifier, Learner
from metarobust.learners.inner_loop import Loss, Rule, Weights, descend, gradient_descent, linear
from metarobust.learners.task_loss import CLASSIFICATION, REGRESSION, task_loss


@LEARNERS.register("maml")
class MAML(Learner):
    """Model-agnostic meta-learning (Finn, Abbeel & Levine 2017, algorithm 2).

    theta_0 = theta; theta_{k+1} = theta_k - inner_rate * grad L_S(theta_k): backbone and linear
    head both take the inner steps, on the mean cross-entropy of the support set.

    Args:
        backbone: the embedding network.
        ways: classes of the meta-learned linear head; episodes must have as many. 1 is a head for
            regression, whose inner and outer losses are squared errors.
        inner_steps: gradient steps on the support set; may differ between training and test.
        inner_rate: their learning rate; likewise.
        first_order: FOMAML: ignore second derivatives in training. Attacks through adaptation
            still see them unless they ask not to.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: fewer than one inner step, or a rate that is not positive.
    """

    default_norm_mode = "support"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        ways: int = 5,
        inner_steps: int = 5,
        inner_rate: float = 0.1,
        first_order: bool = False,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        if inner_steps < 1 or inner_rate <= 0:
            raise ConfigError(
                f"maml: expected inner_steps >= 1 and inner_rate > 0, got {inner_steps} and "
                f"{inner_rate}"
            )
        self.ways = ways
        self.tasks = frozenset({REGRESSION if ways == 1 else CLASSIFICATION})
        self.inner_steps = inner_steps
        self.inner_rate = inner_rate
        self.first_order = first_order
        self.head = nn.Linear(self.feature_dim, ways)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`.

        Raises:
            ConfigError: the episode's ways are not those of the head.
        """
        self.check_ways(ways)
        batches = [(support_x, support_y)] * self.inner_steps
        adapted = self.trajectory(batches, first_order=first_order)[-1]
        return self.classifier(support_x, adapted)

    def check_ways(self, ways: int) -> None:
        """Refuse an episode that the head was not made for."""
        if ways != self.ways:
            raise ConfigError(
                f"maml: its head was meta-trained for {self.ways} ways, got an episode of {ways}; "
                f"use --set protocol.ways={self.ways}"
            )

    def start(self) -> Weights:
        """The meta-learned initialisation of what the inner loop moves."""
        return {
            "backbone": dict(self.backbone.named_parameters()),
            "head": dict(self.head.named_parameters()),
        }

    def rule(self) -> Rule:
        """How an inner gradient moves the weights: a new rule for each task."""
        return gradient_descent(self.inner_rate)

    def trajectory(
        self, batches: Sequence[tuple[Tensor, Tensor]], *, first_order: bool = False
    ) -> list[Weights]:
        """The weights after each inner step, one step on each batch of inputs and labels."""
        statistics = self.batch_or_running(twice=torch.is_grad_enabled())

        def loss_on(x: Tensor, y: Tensor) -> Loss:
            def loss(weights: Weights) -> Tensor:
                features = self.embed(x, statistics, weights["backbone"])
                return task_loss(linear(features, weights["head"]), y)

            return loss

        losses = [loss_on(x, y) for x, y in batches]
        return descend(
            losses, self.start(), self.rule(), first_order=self.drops_second_order(first_order)
        )

    def classifier(self, support_x: Tensor, weights: Weights) -> Classifier:
        """The classifier of adapted weights."""
        statistics = self.query_statistics(support_x, weights["backbone"])

        def classify(query_x: Tensor) -> Tensor:
            features = self.embed(query_x, statistics, weights["backbone"])
            return linear(features, weights["head"])

        return classify

    def drops_second_order(self, first_order: bool) -> bool:
        """Whether second derivatives are ignored: on request, and where FOMAML is trained."""
        return first_order or (self.first_order and self.training)
