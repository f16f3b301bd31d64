"""Prototypes without outliers: the trimmed mean of distances, and its certificate."""

import torch
from torch import Tensor, nn

from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    memberships,
    negative_squared_distances,
)
from metarobust.threats.trimming import certified_poisoning, ordered_by_class, trimmed_mean


@LEARNERS.register("trimmed")
class Trimmed(Learner):
    """Logits are minus the trimmed mean of squared distances to a class's images (FCert).

    Wang et al. 2024, "FCert: Certifiably Robust Few-Shot Classification in the Era of Foundation
    Models", section 4: for each query, the least and greatest distances to the images of a class
    are dropped, and the others averaged. Trimming needs 2 K' + 1 shots, and an
    audit or a training with fewer is refused.

    Args:
        backbone: the embedding network.
        trim: K', distances dropped at each end; fewer in a class of fewer than 2 K' + 1 images.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: a negative trim.
    """

    family = "robust"
    paper = "Wang et al., FCert, IEEE S&P 2024"

    def __init__(
        self, backbone: nn.Module, *, trim: int = 1, norm_mode: NormMode | None = None
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_at_least("trim", trim, 0)
        self.trim = trim

    def objection(self, *, ways: int, shots: int) -> str:
        """See `Learner.objection`: with too few shots nothing is trimmed."""
        if shots > 2 * self.trim:
            return ""
        return (
            f"it drops the {self.trim} least and the {self.trim} greatest distances to a class, "
            f"got {shots} shots; set protocol.shots to at least {2 * self.trim + 1}, or the "
            f"learner's trim to {(shots - 1) // 2}"
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
        """See `Learner.adapt`. A class without support images is compared with all of them."""
        features, statistics = self.embed_support(support_x)
        members = memberships(support_y, ways)
        members = members | ~members.any(0)
        counts = members.sum(0)

        def classify(query_x: Tensor) -> Tensor:
            distances = -negative_squared_distances(self.embed(query_x, statistics), features)
            return -trimmed_mean(ordered_by_class(distances, members), counts, self.trim)

        return classify

    @torch.no_grad()
    def certify(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        *,
        ways: int,
        in_total: bool = False,
    ) -> Tensor:
        """How many support images could be replaced by anything without changing each prediction.

        Args:
            support_x: inputs [S, *input].
            support_y: labels [S]; replaced images keep theirs. If a class has none, nothing is
                certified.
            query_x: queries [Q, *input].
            ways: number of classes N.
            in_total: count over all classes together; otherwise that many in every class.

        Returns:
            Images for each query, int64 [Q].

        Raises:
            ConfigError: under support or batch statistics one image changes the features of the
                others, and nothing can be certified.
        """
        if self.norm_mode != "running":
            raise ConfigError(
                "trimmed: a certificate needs norm_mode 'running', under which an image's features "
                f"are its own; got '{self.norm_mode}'"
            )
        features, statistics = self.embed_support(support_x)
        members = memberships(support_y, ways)
        distances = -negative_squared_distances(self.embed(query_x, statistics), features)
        certified = certified_poisoning(
            ordered_by_class(distances, members),
            members.sum(0).clamp(min=1),
            self.trim,
            in_total=in_total,
        )
        return certified * members.any(0).all()
