"""The registered backbones.

A backbone is an `nn.Module` built from the shape of one input and its own options. Its forward pass
takes a batch and the `Statistics` its normalisation layers use, and returns features
[n, feature_dim].
"""

from collections.abc import Callable

from torch import nn

from metarobust.core.registry import Registry

BACKBONES: Registry[Callable[..., nn.Module]] = Registry("backbone")
