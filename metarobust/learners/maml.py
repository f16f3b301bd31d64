"""MAML: a few gradient steps from a meta-learned initialisation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from metarobust.core.engine import gradient
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import NormMode
from metarobust.learners.base import LEARNERS, Classifier, Learner


@LEARNERS.register("maml")
class MAML(Learner):
    """Model-agnostic meta-learning (Finn, Abbeel & Levine 2017, algorithm 2).

    theta_0 = theta; theta_{k+1} = theta_k - inner_rate * grad L_S(theta_k): backbone and linear
    head both take the inner steps, on the mean cross-entropy of the support set.

    Args:
        backbone: the embedding network.
        ways: classes of the meta-learned linear head; episodes must have as many.
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
        self.inner_steps = inner_steps
        self.inner_rate = inner_rate
        self.first_order = first_order
        self.head = nn.Linear(int(backbone.feature_dim), ways)  # type: ignore[arg-type]
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
        if ways != self.ways:
            raise ConfigError(
                f"maml: its head was meta-trained for {self.ways} ways, got an episode of {ways}; "
                f"use --set protocol.ways={self.ways}"
            )
        drop_second_order = first_order or (self.first_order and self.training)
        differentiate = torch.is_grad_enabled()

        statistics = self.batch_or_running(twice=differentiate)

        def support_loss(fast: dict[str, dict[str, Tensor]]) -> Tensor:
            features = self.embed(support_x, statistics, fast["backbone"])
            return F.cross_entropy(_linear(features, fast["head"]), support_y)

        fast: dict[str, dict[str, Tensor]] = {
            "backbone": dict(self.backbone.named_parameters()),
            "head": dict(self.head.named_parameters()),
        }
        for _ in range(self.inner_steps):
            at = tree_map(Tensor.detach, fast) if drop_second_order else fast
            grads, _ = gradient(support_loss, at, create_graph=differentiate)
            fast = tree_map(lambda value, grad: value - self.inner_rate * grad, fast, grads)
        frozen = self.query_statistics(support_x, fast["backbone"])
        return lambda query_x: _linear(self.embed(query_x, frozen, fast["backbone"]), fast["head"])


def _linear(features: Tensor, head: dict[str, Tensor]) -> Tensor:
    return F.linear(features, head["weight"], head["bias"])
