"""ANIL: MAML whose inner loop moves the head alone."""

import torch
from torch import Tensor

from metarobust.learners.base import LEARNERS, Classifier
from metarobust.learners.inner_loop import Weights, descend, linear
from metarobust.learners.maml import MAML
from metarobust.learners.task_loss import task_loss


@LEARNERS.register("anil")
class ANIL(MAML):
    """Almost no inner loop (Raghu, Raghu, Bengio & Vinyals 2020).

    The backbone is a meta-parameter that no task changes: support images are embedded once, and
    the linear head takes the inner steps on their features. Its options are those of `MAML`.
    """

    family = "initialisation"
    paper = "Raghu, Raghu, Bengio & Vinyals, ICLR 2020"

    def start(self) -> Weights:
        """See `GradientLearner.start`."""
        return {"head": dict(self.head.named_parameters())}

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
        features, statistics = self.embed_support(support_x)

        def loss(weights: Weights) -> Tensor:
            return task_loss(linear(features, weights["head"]), support_y)

        losses = [loss] * self.inner_steps
        adapted = descend(
            losses, self.start(), self.rule(), first_order=self.drops_second_order(first_order)
        )[-1]
        return lambda query_x: linear(self.embed(query_x, statistics), adapted["head"])
