"""No network at all: features as they come, for embeddings made elsewhere."""

import math

from torch import Tensor, nn

from metarobust.backbones.registry import BACKBONES
from metarobust.core.normalisation import Statistics


@BACKBONES.register("identity")
class Identity(nn.Module):
    """Each input is its own embedding, flattened; there is nothing to train.

    Args:
        input_shape: shape of one input.
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.feature_dim = math.prod(input_shape)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Flatten inputs [n, *input_shape] to [n, feature_dim]."""
        return x.flatten(1)
