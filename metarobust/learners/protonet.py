"""Prototypical networks: a class is the mean of its support embeddings."""

from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    class_means,
    negative_squared_distances,
)


@LEARNERS.register("protonet")
class ProtoNet(Learner):
    """Logits are minus the squared Euclidean distance to each prototype (Snell et al. 2017, eq. 2).

    Args:
        backbone: the embedding network.
        learn_temperature: divide the logits by a meta-learned temperature (off in the paper).
        norm_mode: see `Learner`.
    """

    family = "metric"
    paper = "Snell, Swersky & Zemel, NeurIPS 2017"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        learn_temperature: bool = False,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        self.log_temperature = nn.Parameter(torch.zeros(())) if learn_temperature else None

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`."""
        features, statistics = self.embed_support(support_x)
        prototypes = class_means(features, support_y, ways)

        def classify(query_x: Tensor) -> Tensor:
            logits = negative_squared_distances(self.embed(query_x, statistics), prototypes)
            if self.log_temperature is not None:
                logits = logits / self.log_temperature.exp()
            return logits

        return classify

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        if self.log_temperature is None:
            return {}
        return {"temperature": self.log_temperature.exp().item()}
