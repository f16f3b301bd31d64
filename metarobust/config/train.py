"""One meta-training: which learner, on which episodes, selected how."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from metarobust.config.dataset import DatasetConfig
from metarobust.config.fields import (
    Count,
    CountFromZero,
    Device,
    NonNegativeRatio,
    PositiveRatio,
    Ratio,
    SafeName,
    Text,
)
from metarobust.config.model import Model, Open
from metarobust.config.protocol import TrainProtocol, ValidationProtocol


class BackboneConfig(Open):
    """A registered backbone; other keys are its options, such as `width`.

    Attributes:
        name: registered backbone; `metarobust ls backbones` shows them.
    """

    short_form: ClassVar[str | None] = "name"

    name: Text


class LearnerConfig(Open):
    """A registered learner; other keys are its options, such as `inner_steps`.

    Attributes:
        name: registered learner; `metarobust ls learners` shows them.
        backbone: its embedding network.
        norm_mode: whose statistics batch normalisation uses at test time; by default the family's.
    """

    name: Text
    backbone: BackboneConfig
    norm_mode: Literal["running", "support", "batch"] | None = None


class ValidationConfig(Model):
    """How the checkpoint is chosen, on meta-val.

    Attributes:
        every: iterations between two validations.
        episodes: episodes of each validation, the same every time.
        protocol: their shape; by default that of training.
    """

    every: Count
    episodes: Count
    protocol: ValidationProtocol | None = None


class OptimiserConfig(Model):
    """The outer optimiser.

    Attributes:
        name: adam or sgd.
        rate: learning rate, at the start.
        momentum: of sgd, Nesterov's; no effect under adam.
        weight_decay: l2 penalty.
        schedule: `constant`, or `cosine`: the rate falls to zero along half a cosine.
    """

    name: Literal["adam", "sgd"] = "adam"
    rate: PositiveRatio = 1e-3
    momentum: Annotated[Ratio, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegativeRatio = 0.0
    schedule: Literal["constant", "cosine"] = "cosine"


class TrainConfig(Model):
    """A meta-training run.

    Attributes:
        name: of the run folder and of the checkpoint.
        dataset: where images come from.
        learner: what is trained.
        protocol: the shape of a training episode.
        validation: how the checkpoint is chosen.
        objective: `episodic`, the learner's own loss on episodes: for most, cross-entropy of the
            queries after adaptation; `classification`, ordinary training on all meta-train
            classes, as transfer baselines are pre-trained.
        iterations: outer steps.
        tasks: episodes of one step (images, under `classification`).
        optimiser: the outer optimiser.
        seed: root of every random draw.
        device: auto, cpu, cuda or cuda:K.
        checkpoint_every: iterations between two saved states; what a crash can cost.
    """

    name: SafeName
    dataset: DatasetConfig
    learner: LearnerConfig
    protocol: TrainProtocol = TrainProtocol()
    validation: ValidationConfig
    objective: Literal["episodic", "classification"] = "episodic"
    iterations: Count
    tasks: Count = 4
    optimiser: OptimiserConfig = OptimiserConfig()
    seed: CountFromZero = 0
    device: Device = "auto"
    checkpoint_every: Count = 100

    @property
    def validation_protocol(self) -> ValidationProtocol:
        """The shape of a validation episode, given or derived from training's."""
        same = self.protocol
        return self.validation.protocol or ValidationProtocol(
            ways=same.ways, shots=same.shots, queries=same.queries
        )
