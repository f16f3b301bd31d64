"""A multi-layer perceptron, for feature vectors and tiny images."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.backbones.registry import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import Normalisation, Statistics
from metarobust.core.option_checks import check_at_least


class _PlainLayer(nn.Module):
    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features_in, features_out)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        return F.relu(self.linear(x))


class _Layer(nn.Module):
    def __init__(self, features_in: int, features_out: int, slot: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features_out, features_in))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = Normalisation(features_out, slot)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        return F.relu(statistics.linear_then_normalise(F.linear, x, self.weight, self.norm))


@BACKBONES.register("mlp")
class MLP(nn.Module):
    """Linear layers, each followed by batch normalisation, if wished, and a ReLU.

    Args:
        input_shape: shape of one input, flattened first.
        width: features of every hidden layer and of the embedding.
        depth: number of layers.
        normalised: whether layers are normalised; regressions usually do without.
        input_range: what 0 and 1 become before the first layer: without normalisation a network
            learns slowly from a narrow range.

    Raises:
        ConfigError: a width or depth below 1, or a range that is not two numbers.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        *,
        width: int = 128,
        depth: int = 2,
        normalised: bool = True,
        input_range: Sequence[float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        check_at_least("width", width, 1)
        check_at_least("depth", depth, 1)
        if len(input_range) != 2:
            raise ConfigError(f"mlp, input_range: expected two numbers, got {input_range!r}")
        self.low, self.high = input_range
        sizes = [math.prod(input_shape), *[width] * depth]
        self.layers = nn.ModuleList(
            _Layer(a, b, slot) if normalised else _PlainLayer(a, b)
            for slot, (a, b) in enumerate(pairwise(sizes))
        )
        self.feature_dim = sizes[-1]

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Embed inputs [n, *input_shape] as features [n, feature_dim]."""
        x = x.flatten(1)
        if (self.low, self.high) != (0, 1):
            x = self.low + (self.high - self.low) * x
        for layer in self.layers:
            x = layer(x, statistics)
        return x
