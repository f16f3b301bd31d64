"""Median prototypes: a class is the median of its support embeddings."""

import math

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_choice
from metarobust.learners.base import (
    LEARNERS,
    Classifier,
    Learner,
    class_means,
    memberships,
    negative_squared_distances,
)

_STEPS = 50
_SMOOTHING = 1e-6


@LEARNERS.register("median")
class Median(Learner):
    """A prototypical network whose prototypes are medians: half the images must be wrong to move.

    Logits are minus the squared distance to each prototype, as in Snell et al. 2017.

    Args:
        backbone: the embedding network.
        kind: `coordinate`, the median of each feature, or `geometric`, the point of least summed
            distance (Weiszfeld's iteration), which does not depend on the axes.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: an unknown kind.
    """

    family = "robust"
    paper = "after Snell et al., NeurIPS 2017"

    def __init__(
        self, backbone: nn.Module, *, kind: str = "coordinate", norm_mode: NormMode | None = None
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_choice("kind", kind, ("coordinate", "geometric"))
        self.kind = kind

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`. A class without support images gets the median of all of them."""
        features, statistics = self.embed_support(support_x)
        median = coordinate_medians if self.kind == "coordinate" else geometric_medians
        prototypes = median(features, support_y, ways)
        return lambda query_x: negative_squared_distances(
            self.embed(query_x, statistics), prototypes
        )


def coordinate_medians(features: Tensor, labels: Tensor, ways: int) -> Tensor:
    """Median of each feature by class [ways, d]; of an even number, the mean of the middle two.

    >>> coordinate_medians(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([0, 0, 0]), 1)
    tensor([[2.]])
    """
    members = _members(labels, ways)
    ordered = torch.where(members.unsqueeze(2), features.unsqueeze(1), math.inf).sort(0).values
    counts = members.sum(0).view(1, ways, 1)
    low, high = (
        ordered.gather(0, middle.expand(1, ways, features.shape[1])).squeeze(0)
        for middle in ((counts - 1) // 2, counts // 2)
    )
    return (low + high) / 2


def geometric_medians(features: Tensor, labels: Tensor, ways: int) -> Tensor:
    """The point of least summed distance to the features of each class [ways, d].

    Weiszfeld's iteration from the mean, 50 steps, with distances smoothed by 1e-6.
    """
    members = _members(labels, ways).to(features.dtype)
    centres = class_means(features, labels, ways)
    for _ in range(_STEPS):
        squares = -negative_squared_distances(features, centres)
        weights = members * torch.rsqrt(squares + _SMOOTHING**2)
        centres = weights.T @ features / weights.sum(0).unsqueeze(1)
    return centres


def _members(labels: Tensor, ways: int) -> Tensor:
    members = memberships(labels, ways)
    return members | ~members.any(0)
