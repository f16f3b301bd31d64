"""Nearest centroid on a conventionally pre-trained backbone: the transfer baseline."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_positive
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    class_means,
    negative_squared_distances,
)


@LEARNERS.register("centroid")
class Centroid(Learner):
    """Nearest class mean of L2-normalised features (SimpleShot's L2N; Wang et al. 2019).

    The backbone is trained as an ordinary classifier of all meta-train classes by a linear layer
    that is thrown away (`train.classification`). What an episodic learner gains over this one is
    what meta-learning was worth.

    Args:
        backbone: the embedding network.
        scale: factor on the squared distances, which lie in [0, 4]; fixes how confident the softmax
            of the logits can be, not which class wins.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a scale that is not positive.
    """

    family = "transfer"
    paper = "Wang et al., SimpleShot, 2019"

    def __init__(
        self, backbone: nn.Module, *, scale: float = 10.0, norm_mode: NormMode | None = None
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_positive("scale", scale)
        self.scale = scale

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
        centroids = class_means(F.normalize(features, dim=1), support_y, ways)

        def classify(query_x: Tensor) -> Tensor:
            queries = F.normalize(self.embed(query_x, statistics), dim=1)
            return self.scale * negative_squared_distances(queries, centroids)

        return classify
