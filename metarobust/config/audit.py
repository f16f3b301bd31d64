"""One audit: which learners, on which episodes, under which threats."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from metarobust.config.aspects import AspectsConfig, CurvesConfig
from metarobust.config.dataset import DatasetConfig
from metarobust.config.effort import Effort
from metarobust.config.fields import Count, CountFromZero, Device, Label, SafeName, Text, shown
from metarobust.config.gate import Gates
from metarobust.config.model import Model
from metarobust.config.protocol import ProtocolConfig
from metarobust.config.suite import ThreatEntry


def _check_workers(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "auto" and not is_count:
        raise ValueError(f"expected auto or a whole number of at least 1, got {shown(value)}")
    return value


class LearnerEntry(Model):
    """A trained learner. A bare word is its checkpoint.

    Attributes:
        checkpoint: name in the bundled zoo, or path of a .safetensors file.
        label: how the report calls it; by default the name of the checkpoint.
        norm_mode: whose statistics batch normalisation uses; by default as trained.
        options: test-time options of the learner to replace, such as `inner_steps`.
    """

    short_form: ClassVar[str | None] = "checkpoint"

    checkpoint: Text
    label: Label | None = None
    norm_mode: Literal["running", "support", "batch"] | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _norm_mode_has_one_place(self) -> "LearnerEntry":
        if "norm_mode" in self.options:
            raise ValueError("norm_mode stands beside 'checkpoint', not under 'options'")
        return self

    @property
    def title(self) -> str:
        """The label, given or derived."""
        return self.label or Path(self.checkpoint).name.removesuffix(".safetensors")

    @property
    def overrides(self) -> dict[str, JsonValue]:
        """Every learner option that differs from the checkpoint's own, `norm_mode` included."""
        mode: dict[str, JsonValue] = {"norm_mode": self.norm_mode} if self.norm_mode else {}
        return {**self.options, **mode}


class AuditConfig(Model):
    """An audit. The clean cell of every learner is always part of it.

    Attributes:
        name: of the run folder.
        dataset: where images come from.
        protocol: the shape of an episode.
        episodes: how many episodes each cell gets; the same ones for all.
        learners: who is audited.
        threats: suites, recipes, and recipes with changes; may be empty.
        effort: how long threats search: quick halves their steps and restarts, thorough doubles
            them.
        seed: root of every random draw.
        device: auto, cpu, cuda or cuda:K.
        block: episodes per stored block: what a crash can cost, and one worker's unit of work.
        workers: processes; auto is one per usable core. No result depends on it.
        gates: what the numbers must reach, e.g. `accuracy[pgd-linf] >= 30 %`; they are judged on
            the numbers and change none of them.
        aspects: evidence beyond the queries' logits, e.g. `{distractors: 5, explanation: true}`.
        curves: the audit again with other inner steps and other shots, for a few threats.
    """

    name: SafeName
    dataset: DatasetConfig
    protocol: ProtocolConfig = ProtocolConfig()
    episodes: Count
    learners: Annotated[tuple[LearnerEntry, ...], Field(min_length=1)]
    threats: tuple[ThreatEntry, ...]
    effort: Effort = "standard"
    seed: CountFromZero = 0
    device: Device = "auto"
    block: Count = 10
    workers: Annotated[int | Literal["auto"], BeforeValidator(_check_workers)] = "auto"
    gates: Gates = ()
    aspects: AspectsConfig = AspectsConfig()
    curves: CurvesConfig = CurvesConfig()

    @model_validator(mode="after")
    def _labels_differ(self) -> "AuditConfig":
        label, times = Counter(entry.title for entry in self.learners).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{times} learners are labelled {shown(label)}; give each a 'label'")
        return self
