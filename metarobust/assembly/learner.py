"""From a specification to a live learner, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from metarobust.assembly.components import component_digest, find_component
from metarobust.assembly.options import build
from metarobust.backbones.catalogue import BACKBONES
from metarobust.backbones.ordinary import as_backbone
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import derive_seed
from metarobust.learners.base import Learner
from metarobust.learners.catalogue import LEARNERS


@dataclass(frozen=True)
class LearnerSpec:
    """Everything but the weights: enough to build the learner again.

    Attributes:
        name: registered learner, or a plug-in (see `find_component`).
        backbone: likewise.
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

    def code(self) -> dict[str, str]:
        """Digest of the file of each part that is a plug-in; of a specification that was built."""
        parts = ((LEARNERS, self.name), (BACKBONES, self.backbone))
        digests = {name: component_digest(registry, name) for registry, name in parts}
        return {name: digest for name, digest in digests.items() if digest}

    def identity(self) -> dict[str, Any]:
        """What decides numbers: `to_json`, with the content of a plug-in instead of its place.

        A registered learner's version is in it from the second on.
        """
        code = self.code()
        parts = {"name": self.name, "backbone": self.backbone}
        content = {k: [code[v], v.rpartition(":")[2]] for k, v in parts.items() if v in code}
        version = LEARNERS[self.name].version if self.name in LEARNERS else 1
        later = {"version": version} if version > 1 else {}
        return {**self.to_json(), **content, **later}

    def with_options(self, options: Mapping[str, Any]) -> "LearnerSpec":
        """The same specification with some learner options replaced."""
        return LearnerSpec(
            self.name,
            self.backbone,
            self.input_shape,
            {**self.options, **options},
            self.backbone_options,
        )


def build_learner(
    spec: LearnerSpec, seed: int = 0, *, allowed_code: frozenset[str] = frozenset()
) -> Learner:
    """A freshly initialised learner; the same seed gives the same weights.

    Args:
        spec: what to build.
        seed: of the weights.
        allowed_code: files and modules whose code the user has allowed on the command line.

    Raises:
        ConfigError: a name or an option is unknown, the input does not suit the backbone, or a
            plug-in was not allowed or is not what it should be.
    """
    with torch.random.fork_rng(devices=[]):
        # nn.Module initialisers know the global generator only; it is put back afterwards.
        torch.manual_seed(derive_seed(seed, "weights"))
        backbone = _backbone(spec, allowed_code)
        learner = build(
            find_component(LEARNERS, spec.name, allowed_code),
            f"learner {spec.name}",
            spec.options,
            backbone,
        )
    if not isinstance(learner, Learner):
        raise ConfigError(
            f"learner {spec.name}: expected a subclass of metarobust.learners.base.Learner, got "
            f"{type(learner).__name__}"
        )
    return learner.eval()


def _backbone(spec: LearnerSpec, allowed_code: frozenset[str]) -> nn.Module:
    factory = find_component(BACKBONES, spec.backbone, allowed_code)
    what = f"backbone {spec.backbone}"
    net: nn.Module = build(factory, what, spec.backbone_options, spec.input_shape)
    try:
        return net if spec.backbone in BACKBONES else as_backbone(net, spec.input_shape)
    except ConfigError as problem:
        raise ConfigError(f"{what}: {problem}") from problem
