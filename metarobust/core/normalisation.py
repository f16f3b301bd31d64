"""Whose statistics batch normalisation uses: an argument of every pass, never a hidden state.

A backbone has no training or evaluation mode. It is handed one of three `Statistics`, and a
learner chooses which: that choice is the `norm_mode` stamped on every number.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NormMode = Literal["running", "support", "batch"]
NORM_MODES: tuple[NormMode, ...] = ("running", "support", "batch")

Moments = tuple[tuple[Tensor, Tensor], ...]
"""Mean and biased variance [channels] of each normalisation layer, in the order of their slots."""

LinearMap = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""`(x, weight, bias) -> y`, linear in the weight, whose first axis is the output channel."""

EPSILON = 1e-5


class Normalisation(nn.Module):
    """The parameters of one batch-normalisation layer, and its running moments as buffers.

    Attributes:
        slot: its place in `Moments`.
        epsilon: added to the variance.
        weight: scale after normalising [channels].
        bias: shift after normalising [channels].
        mean: running mean [channels].
        variance: running biased variance [channels].
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, slot: int, *, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.slot = slot
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))


class Statistics(ABC):
    """Where a normalisation layer finds its mean and variance."""

    @abstractmethod
    def linear_then_normalise(
        self, linear: LinearMap, x: Tensor, weight: Tensor, layer: Normalisation
    ) -> Tensor:
        """Apply a linear map without bias, then batch normalisation over all axes but channels."""


class BatchStatistics(Statistics):
    """Each batch is normalised by its own moments (transductive when the batch holds queries).

    Args:
        twice: its gradient will be differentiated again, as in an inner loop. The fused kernel is
            the fastest forwards and backwards, but its second derivative is slower than that of
            the plain formula, which is then used.
    """

    def __init__(self, *, twice: bool = False) -> None:
        self._twice = twice

    def linear_then_normalise(
        self, linear: LinearMap, x: Tensor, weight: Tensor, layer: Normalisation
    ) -> Tensor:
        """See `Statistics`."""
        y = linear(x, weight, None)
        if self._twice:
            return _normalise(y, layer)[0]
        return F.batch_norm(
            y, None, None, layer.weight, layer.bias, training=True, eps=layer.epsilon
        )


class RecordedStatistics(Statistics):
    """Like `BatchStatistics`, and keeps the moments it used, differentiably, in `moments`."""

    def __init__(self) -> None:
        self._moments: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def moments(self) -> Moments:
        """The moments of the layers passed so far, in the order of their slots."""
        return tuple(self._moments[slot] for slot in sorted(self._moments))

    def linear_then_normalise(
        self, linear: LinearMap, x: Tensor, weight: Tensor, layer: Normalisation
    ) -> Tensor:
        """See `Statistics`."""
        normalised, moments = _normalise(linear(x, weight, None), layer)
        self._moments[layer.slot] = moments
        return normalised


class FixedStatistics(Statistics):
    """Every batch is normalised by given moments, folded into the linear map before it."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments

    def linear_then_normalise(
        self, linear: LinearMap, x: Tensor, weight: Tensor, layer: Normalisation
    ) -> Tensor:
        """See `Statistics`."""
        scale, shift = _affine(*self.moments[layer.slot], layer)
        return linear(x, weight * scale.view(-1, *(1,) * (weight.ndim - 1)), shift)


def running_statistics(module: nn.Module) -> FixedStatistics:
    """The running moments of a module's normalisation layers, in the order of their slots."""
    layers = [m for m in module.modules() if isinstance(m, Normalisation)]
    layers.sort(key=lambda layer: layer.slot)
    return FixedStatistics(tuple((layer.mean, layer.variance) for layer in layers))


def _normalise(y: Tensor, layer: Normalisation) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Batch normalisation of [n, channels, ...] by the plain formula, and the moments it used."""
    # Channels last, as convolutions leave them: a view, one row a pixel.
    pixels = y.movedim(1, -1)
    rows = pixels.flatten(0, -2)
    mean = rows.mean(0)
    centred = rows - mean
    variance = centred.square().mean(0)
    scale = layer.weight * torch.rsqrt(variance + layer.epsilon)
    normalised = torch.addcmul(layer.bias, centred, scale)
    return normalised.view(pixels.shape).movedim(-1, 1), (mean, variance)


def _affine(mean: Tensor, variance: Tensor, layer: Normalisation) -> tuple[Tensor, Tensor]:
    scale = layer.weight * torch.rsqrt(variance + layer.epsilon)
    return scale, layer.bias - mean * scale
