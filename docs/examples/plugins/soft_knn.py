"""A whole learner in one file: every support image votes for its class, the nearer the louder."""

from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.option_checks import check_positive
from metarobust.learners.base import Classifier, Learner, memberships, negative_squared_distances


class SoftNearestNeighbours(Learner):
    """Logits are the log of the summed votes exp(-d^2 / temperature) of a class's images.

    Args:
        backbone: the embedding network, built before and handed over.
        temperature: how far a vote carries.
        options: those of every learner, `norm_mode`.
    """

    def __init__(self, backbone: nn.Module, *, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(backbone, **options)
        check_positive("temperature", temperature)
        self.log_temperature = nn.Parameter(torch.tensor(float(temperature)).log())

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """Embed the support set once; a class without images gets a very small vote."""
        features, statistics = self.embed_support(support_x)
        votes_for = memberships(support_y, ways).to(features.dtype)

        def classify(query_x: Tensor) -> Tensor:
            distances = negative_squared_distances(self.embed(query_x, statistics), features)
            votes = (distances / self.log_temperature.exp()).softmax(1)
            return (votes @ votes_for + 1e-6).log()

        return classify

    def learned(self) -> dict[str, float]:
        """What `metarobust show` prints of it."""
        return {"temperature": self.log_temperature.exp().item()}
