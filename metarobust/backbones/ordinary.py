"""Any torch backbone as ours: its batch normalisation is taken over, statistics an argument."""

import inspect
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from metarobust.core.errors import ConfigError
from metarobust.core.normalisation import LinearMap, Normalisation, Statistics

_statistics: ContextVar[Statistics] = ContextVar("_statistics")


def as_backbone(net: Any, input_shape: tuple[int, ...]) -> nn.Module:
    """A user's network with the interface of a backbone.

    Args:
        net: a module whose forward pass takes a batch and `Statistics`, with a `feature_dim`; or an
            ordinary module, whose forward pass takes a batch [n, *input_shape] alone and returns
            features [n, d]. The latter is changed: its batch normalisation is taken over.
        input_shape: shape of one input.

    Raises:
        ConfigError: it is neither, its forward pass fails on such inputs or returns something else,
            or its normalisation cannot be taken over.
    """
    if not isinstance(net, nn.Module):
        raise ConfigError(f"expected the factory to return a torch.nn.Module, got {net!r:.80}")
    if "statistics" not in inspect.signature(net.forward).parameters:
        return OrdinaryBackbone(net, input_shape)
    if not isinstance(getattr(net, "feature_dim", None), int):
        raise ConfigError("a backbone that takes statistics needs an attribute feature_dim: int")
    return net


class OrdinaryBackbone(nn.Module):
    """An ordinary network whose batch normalisation uses the statistics of the pass.

    Every `torch.nn` BatchNorm layer, with its weights and running moments, becomes a
    `Normalisation`, so that all three norm modes are honoured and no pass changes a buffer. All
    else stays in evaluation mode, in training too: dropout is off, for it would draw from the
    global generator.

    Attributes:
        net: the network, changed in place.
        feature_dim: length of its features, found by a pass.

    Raises:
        ConfigError: see `as_backbone`.
    """

    def __init__(self, net: nn.Module, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.net = net.eval()
        blank = torch.zeros(2, *input_shape)
        _features(net, blank)  # lazy layers take their shapes
        layers = _take_over(net)
        uses = _Uses()
        before = {name: buffer.clone() for name, buffer in net.named_buffers()}
        self.feature_dim = self._probe(blank, uses)
        for name, buffer in net.named_buffers():
            if not torch.equal(buffer, before[name]):
                raise ConfigError(f"its forward pass changes its buffer '{name}'; make it constant")
        for slot, name in enumerate(layers):
            if uses.slots.count(slot) != 1:
                raise ConfigError(
                    f"its normalisation layer '{name}' is used {uses.slots.count(slot)} times in "
                    "a forward pass, expected once; give every place a layer of its own"
                )

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Embed inputs [n, *input_shape] as features [n, feature_dim]."""
        token = _statistics.set(statistics)
        try:
            features: Tensor = self.net(x)
            return features
        finally:
            _statistics.reset(token)

    def train(self, mode: bool = True) -> "OrdinaryBackbone":
        """Set the flag of this module alone; the network stays in evaluation mode."""
        self.training = mode
        return self

    def _probe(self, blank: Tensor, uses: "_Uses") -> int:
        token = _statistics.set(uses)
        try:
            return _features(self.net, blank).shape[1]
        finally:
            _statistics.reset(token)


class _TakenOver(Normalisation):
    """A BatchNorm layer that asks the pass under way for its statistics."""

    def __init__(self, layer: _BatchNorm, slot: int) -> None:
        super().__init__(layer.num_features, slot, epsilon=layer.eps)
        values: dict[str, Tensor] = {"weight": layer.weight, "bias": layer.bias}
        if layer.running_mean is not None and layer.running_var is not None:
            values |= {"mean": layer.running_mean, "variance": layer.running_var}
        self.load_state_dict({**self.state_dict(), **values})

    def forward(self, x: Tensor) -> Tensor:
        unit = x.new_ones(x.shape[1])
        return _statistics.get().linear_then_normalise(_scaled, x, unit, self)


class _Uses(Statistics):
    """Normalises nothing, and keeps which layers asked."""

    def __init__(self) -> None:
        self.slots: list[int] = []

    def linear_then_normalise(
        self, linear: LinearMap, x: Tensor, weight: Tensor, layer: Normalisation
    ) -> Tensor:
        self.slots.append(layer.slot)
        return x


def _scaled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Each channel of [n, channels, ...] times its weight, plus its bias."""
    shape = (-1, *(1,) * (x.ndim - 2))
    scaled = x * weight.view(shape)
    return scaled if bias is None else scaled + bias.view(shape)


def _take_over(net: nn.Module) -> list[str]:
    """Replace every BatchNorm layer; their names, in the order of their slots."""
    taken: dict[nn.Module, _TakenOver] = {}
    names = []
    for name, layer in list(net.named_modules(remove_duplicate=False)):
        if not isinstance(layer, _BatchNorm):
            continue
        if layer.weight is None:
            raise ConfigError(
                f"its normalisation layer '{name}' has no weights; build it with affine=True"
            )
        if layer not in taken:
            taken[layer] = _TakenOver(layer, len(taken))
            names.append(name)
        parent, _, child = name.rpartition(".")
        setattr(net.get_submodule(parent), child, taken[layer])
    return names


@torch.no_grad()
def _features(net: nn.Module, blank: Tensor) -> Tensor:
    try:
        features = net(blank)
    except Exception as problem:
        reason = str(problem).partition("\n")[0]
        raise ConfigError(
            f"its forward pass fails on inputs of shape {list(blank.shape)}: "
            f"{type(problem).__name__}: {reason}"
        ) from problem
    if not isinstance(features, Tensor) or features.ndim != 2:
        got = list(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ConfigError(f"its forward pass must return features [n, d], got {got}; flatten them")
    return features
