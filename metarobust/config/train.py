"""One meta-training: which learner, on which episodes, selected how."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

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
from metarobust.config.objective import ObjectiveConfig
from metarobust.config.protocol import TrainProtocol, ValidationProtocol
from metarobust.config.training_attack import CheckConfig


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
        protocol: their shape; by default that of training. Fewer shots than in training is the
            recipe of ITS-MAML.
        attack: also measure accuracy under this attack, and under one step of the same eps.
        select: what the checkpoint is chosen by: `clean` accuracy, or `robust`, under `attack`.
        patience: stop after so many validations without a better one; never, if not given.
    """

    every: Count
    episodes: Count
    protocol: ValidationProtocol | None = None
    attack: CheckConfig | None = None
    select: Literal["clean", "robust"] = "clean"
    patience: Count | None = None

    @model_validator(mode="after")
    def _can_select(self) -> "ValidationConfig":
        if self.select == "robust" and self.attack is None:
            raise ValueError("select: robust needs an attack, such as attack: {eps: 0.1}")
        return self


class OptimiserConfig(Model):
    """The outer optimiser.

    Attributes:
        name: adam or sgd.
        rate: learning rate, at the start.
        momentum: of sgd, Nesterov's; no effect under adam.
        weight_decay: l2 penalty.
        schedule: `constant`, or `cosine`: the rate falls to zero along half a cosine.
        clip: largest l2 norm of a step's whole gradient; a longer one is scaled down to it.
        average: decay of an exponential moving average of the weights, which is then what is
            validated and saved.
    """

    name: Literal["adam", "sgd"] = "adam"
    rate: PositiveRatio = 1e-3
    momentum: Annotated[Ratio, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegativeRatio = 0.0
    schedule: Literal["constant", "cosine"] = "cosine"
    clip: PositiveRatio | None = None
    average: Annotated[PositiveRatio, Field(lt=1)] | None = None


class BudgetConfig(Model):
    """What training may spend, so that objectives can be compared at equal cost.

    Attributes:
        gradient_evaluations: gradients of the learner on one episode, those of attacks included.
    """

    gradient_evaluations: Count


class TrainConfig(Model):
    """A meta-training run.

    Attributes:
        name: of the run folder and of the checkpoint.
        dataset: where images come from.
        learner: what is trained.
        protocol: the shape of a training episode.
        validation: how the checkpoint is chosen.
        objective: what is minimised.
        iterations: outer steps; or give a budget.
        budget: what training may spend; the outer steps are as many as fit.
        tasks: episodes of one step (images, under `classification`).
        optimiser: the outer optimiser.
        seed: root of every random draw.
        device: auto, cpu, cuda or cuda:K.
        precision: of the backbone's arithmetic in training; `bfloat16` is faster where the hardware
            has it. Weights, heads, validation and audits are float32 all the same.
        checkpoint_every: iterations between two saved states; what a crash can cost.
    """

    name: SafeName
    dataset: DatasetConfig
    learner: LearnerConfig
    protocol: TrainProtocol = TrainProtocol()
    validation: ValidationConfig
    objective: ObjectiveConfig = ObjectiveConfig(name="episodic")
    iterations: Count | None = None
    budget: BudgetConfig | None = None
    tasks: Count = 4
    optimiser: OptimiserConfig = OptimiserConfig()
    seed: CountFromZero = 0
    device: Device = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: Count = 100

    @model_validator(mode="after")
    def _has_an_end_and_attackers(self) -> "TrainConfig":
        if (self.iterations is None) == (self.budget is None):
            both = "both" if self.budget else "neither"
            raise ValueError(f"expected either iterations or budget, got {both}")
        check, queries = self.validation.attack, self.validation_protocol.attacker_queries
        if self.objective.single_step and (check is None or check.steps == 1):
            raise ValueError(
                "a single-step attack can be overfitted, which only one of many steps shows; set "
                "validation.attack, such as {eps: 0.1, steps: 10}"
            )
        if check is not None and check.surface == "support" and not queries:
            raise ValueError(
                "validation.attack: on the support set it needs queries of its own; set "
                "validation.protocol.attacker_queries to at least 1"
            )
        return self

    @property
    def validation_protocol(self) -> ValidationProtocol:
        """The shape of a validation episode, given or derived from training's."""
        same = self.protocol
        return self.validation.protocol or ValidationProtocol(
            ways=same.ways, shots=same.shots, queries=same.queries
        )
