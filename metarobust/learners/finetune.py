"""Baseline++: a cosine head, fine-tuned on a conventionally pre-trained backbone."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_positive
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    class_means,
    cosine_similarities,
)
from metarobust.learners.inner_loop import Weights, descend, gradient_descent


class CosineHead(nn.Module):
    """Logits are scaled cosines between features and one direction for each class.

    Args:
        feature_dim: length of the features.
        classes: number of directions.
        scale: factor on the cosines.
    """

    def __init__(self, feature_dim: int, classes: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, feature_dim))
        nn.init.kaiming_uniform_(self.weight)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, classes] of features [n, feature_dim]."""
        return self.scale * cosine_similarities(features, self.weight)


@LEARNERS.register("finetune")
class Finetune(Learner):
    """Baseline++ (Chen, Liu, Kira, Wang & Huang 2019, section 3.2).

    The backbone is pre-trained as a classifier of all meta-train classes by a cosine head that is
    thrown away (`objective: classification`). A new cosine head then takes gradient steps on the
    support set. It starts at the class means of normalised features (weight imprinting, Qi, Brown &
    Lowe 2018) where the paper starts at random and takes 100 steps on mini-batches: the same
    support set gives the same classifier.

    Args:
        backbone: the embedding network.
        inner_steps: gradient steps of the head on the whole support set; 0 leaves it imprinted.
        inner_rate: their learning rate.
        scale: factor on the cosines.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a negative number of steps, or a rate or scale that is not positive.
    """

    family = "transfer"
    paper = "Chen et al., ICLR 2019"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        inner_steps: int = 20,
        inner_rate: float = 0.1,
        scale: float = 10.0,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_at_least("inner_steps", inner_steps, 0)
        check_positive("inner_rate", inner_rate)
        check_positive("scale", scale)
        self.inner_steps = inner_steps
        self.inner_rate = inner_rate
        self.scale = scale

    def pretraining_head(self, classes: int) -> nn.Module:
        """See `Learner.pretraining_head`."""
        return CosineHead(self.feature_dim, classes, self.scale)

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

        def logits(embedded: Tensor, weights: Weights) -> Tensor:
            return self.scale * cosine_similarities(embedded, weights["head"]["weight"])

        def loss(weights: Weights) -> Tensor:
            return F.cross_entropy(logits(features, weights), support_y)

        imprinted = class_means(F.normalize(features, dim=1), support_y, ways)
        start: Weights = {"head": {"weight": F.normalize(imprinted, dim=1)}}
        losses = [loss] * self.inner_steps
        rule = gradient_descent(self.inner_rate)
        adapted = descend(losses, start, rule, first_order=first_order)[-1]
        return lambda query_x: logits(self.embed(query_x, statistics), adapted)
