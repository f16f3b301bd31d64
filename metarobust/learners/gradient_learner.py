"""What all gradient-based learners share: a network and head that take inner steps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_positive
from metarobust.learners.base import Classifier, Learner
from metarobust.learners.inner_loop import Loss, Rule, Weights, descend, gradient_descent, linear
from metarobust.learners.task_loss import CLASSIFICATION, REGRESSION, task_loss


class GradientLearner(Learner):
    """A backbone and a linear head that take gradient steps down the support set's loss.

    The head starts at zero: before meta-training no class is likelier than another.

    A subclass says by `rule` how a gradient moves the weights, by `start` what is moved, and by
    `first_order` whether it is trained through second derivatives. Attacks through adaptation see
    second derivatives unless they ask not to.

    Args:
        backbone: the embedding network.
        ways: classes of the meta-learned linear head; episodes must have as many. 1 is a head for
            regression, whose inner and outer losses are squared errors.
        inner_steps: gradient steps on the support set; may differ between training and test. 0
            leaves the initialisation as it is.
        inner_rate: their learning rate; likewise.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: fewer than one way or zero inner steps, or a rate that is not positive.
    """

    default_norm_mode = "support"
    first_order: bool = False

    def __init__(
        self,
        backbone: nn.Module,
        *,
        ways: int = 5,
        inner_steps: int = 5,
        inner_rate: float = 0.1,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_at_least("ways", ways, 1)
        check_at_least("inner_steps", inner_steps, 0)
        check_positive("inner_rate", inner_rate)
        self.ways = ways
        self.tasks = frozenset({REGRESSION if ways == 1 else CLASSIFICATION})
        self.inner_steps = inner_steps
        self.inner_rate = inner_rate
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

    def objection(self, *, ways: int, shots: int) -> str:
        """See `Learner.objection`: the head has a row for each class."""
        return self._other_ways(ways)

    def check_ways(self, ways: int) -> None:
        """Refuse an episode that the head was not made for."""
        if objection := self._other_ways(ways):
            raise ConfigError(f"{type(self).__name__}: {objection}")

    def _other_ways(self, ways: int) -> str:
        if ways == self.ways:
            return ""
        return (
            f"its head is for {self.ways} ways, got an episode of {ways}; use --set "
            f"protocol.ways={self.ways}"
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
        """The weights at the start, and after one inner step on each batch of inputs and labels."""
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
        """Whether second derivatives are ignored: on request, and where it is trained so."""
        return first_order or (self.first_order and self.training)
