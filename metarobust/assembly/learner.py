"""From a specification to a live learner, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from metarobust.assembly.options import build
from metarobust.backbones.catalogue import BACKBONES
from metarobust.core.seeds import derive_seed
from metarobust.learners.base import Learner
from metarobust.learners.catalogue import LEARNERS


@dataclass(frozen=True)
class LearnerSpec:
    """Everything but the weights: enough to build the learner again.

    Attributes:
        name: registered learner.
        backbone: registered backbone.
        input_shape: shape of one input.
        options: the learner's options, `norm_mode` among them.
        backbone_options: the backbone's options.
    """

    name: str
    backbone: str
    input_shape: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    backbone_options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {
            "name": self.name,
            "backbone": self.backbone,
            "input_shape": list(self.input_shape),
            "options": dict(self.options),
            "backbone_options": dict(self.backbone_options),
        }

    def with_options(self, options: Mapping[str, Any]) -> "LearnerSpec":
        """The same specification with some learner options replaced."""
        return LearnerSpec(
            self.name,
            self.backbone,
            self.input_shape,
            {**self.options, **options},
            self.backbone_options,
        )


def build_learner(spec: LearnerSpec, seed: int = 0) -> Learner:
    """A freshly initialised learner; the same seed gives the same weights.

    Raises:
        ConfigError: a name or an option is unknown, or the input does not suit the backbone.
    """
    with torch.random.fork_rng(devices=[]):
        # nn.Module initialisers know the global generator only; it is put back afterwards.
        torch.manual_seed(derive_seed(seed, "weights"))
        backbone = build(
            BACKBONES[spec.backbone],
            f"backbone {spec.backbone}",
            spec.backbone_options,
            spec.input_shape,
        )
        learner: Learner = build(
            LEARNERS[spec.name], f"learner {spec.name}", spec.options, backbone
        )
    return learner.eval()
