"""Relation networks: a learned comparison of a query with each class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_choice
from metarobust.learners.base import LEARNERS, Classifier, Learner, class_means, each_with_each


@LEARNERS.register("relation")
class Relation(Learner):
    """Logits are the scores of a learned relation module (Sung et al. 2018, eq. 1 and 2).

    The module sees the mean feature of a class beside the feature of a query. (The paper sums over
    shots; the mean differs by a factor, and holds for other shots.) It compares vectors, so it is
    two hidden layers instead of two convolutions, without normalisation, by which queries would
    see each other.

    Args:
        backbone: the embedding network.
        hidden: features of each hidden layer of the module.
        loss: `cross-entropy` of the scores, which makes them calibrated logits, or the paper's
            `mse`: squared error between the sigmoid of each score and 1 for the right class, 0 for
            the others.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: an unknown loss, or no hidden features.
    """

    family = "metric"
    paper = "Sung et al., CVPR 2018"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden: int = 64,
        loss: str = "cross-entropy",
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_at_least("hidden", hidden, 1)
        check_choice("loss", loss, ("cross-entropy", "mse"))
        self.loss = loss
        self.relation = nn.Sequential(
            nn.Linear(2 * self.feature_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

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
        means = class_means(features, support_y, ways)

        def classify(query_x: Tensor) -> Tensor:
            queries = self.embed(query_x, statistics)
            query, mean = each_with_each(queries, means)
            scores: Tensor = self.relation(torch.cat([mean, query], dim=2)).squeeze(2)
            return scores

        return classify

    def meta_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        *,
        ways: int,
    ) -> Tensor:
        """See `Learner.meta_loss`."""
        scores = self(support_x, support_y, query_x, ways)
        if self.loss == "mse":
            return F.mse_loss(scores.sigmoid(), F.one_hot(query_y, ways).to(scores.dtype))
        return F.cross_entropy(scores, query_y)
