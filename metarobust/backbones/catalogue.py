"""Every backbone, registered by being imported here."""

from metarobust.backbones import conv4, identity, mlp, resnet12
from metarobust.backbones.registry import BACKBONES

__all__ = ["BACKBONES", "conv4", "identity", "mlp", "resnet12"]
