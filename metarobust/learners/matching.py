"""Matching networks: attention over the support images, by cosine."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_positive
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    cosine_similarities,
    memberships,
)


@LEARNERS.register("matching")
class Matching(Learner):
    """p(y | q) = sum_i a(q, x_i) y_i, a = softmax of cosines (Vinyals et al. 2016, eq. 1).

    Queries and support images are embedded alike; the paper's full-context embeddings, which
    depend on the order of the support set, are not included. Logits are log p(y | q), up to a
    constant of each query.

    Args:
        backbone: the embedding network.
        scale: factor on the cosines, where it starts. The paper has none (1), under which
            no query of a 5-way task can be more than 65 % likely.
        learn_scale: whether the scale is a meta-parameter.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a scale that is not positive.
    """

    family = "metric"
    paper = "Vinyals et al., NeurIPS 2016"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        scale: float = 10.0,
        learn_scale: bool = True,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("scale", scale)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learn_scale)

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

        A class without support images gets the logit of one image opposite to every query: the
        least that an image could add.
        """
        features, statistics = self.embed_support(support_x)
        members = memberships(support_y, ways)
        scale = self.log_scale.exp()
        nothing = torch.full((), -math.inf, dtype=features.dtype, device=features.device)
        least = torch.where(members.any(0), nothing, -scale)

        def classify(query_x: Tensor) -> Tensor:
            scores = scale * cosine_similarities(self.embed(query_x, statistics), features)
            by_class = torch.where(members, scores.unsqueeze(2), nothing)
            floor = least.expand(len(scores), 1, ways)
            return torch.cat([by_class, floor], dim=1).logsumexp(1)

        return classify

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        return {"scale": self.log_scale.exp().item()}
