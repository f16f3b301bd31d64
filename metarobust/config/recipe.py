"""One named threat: an engine, a surface, and a budget that is complete and possible."""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from metarobust.config.engine_name import BUDGET_FIELDS, EngineKind, Family, engine_kind
from metarobust.config.fields import (
    Count,
    Flag,
    NonNegativeRatio,
    OneOrMore,
    SafeName,
    Severity,
    Share,
    StepSize,
    Text,
    show_ratio,
    shown,
)
from metarobust.config.model import Model

Surface = Literal["query", "support", "both"]
Knowledge = Literal["none", "black-box", "white-box"]
Norm = Literal["linf", "l2", "l1"]
LossName = Literal[
    "cross-entropy", "margin", "dlr", "targeted-margin", "targeted-dlr", "squared-error"
]
Targets = Literal["untargeted", "shifted"]


def _check_engine(engine: str) -> str:
    engine_kind(engine)
    return engine


def _each_once(losses: tuple[LossName, ...]) -> tuple[LossName, ...]:
    if len(set(losses)) < len(losses):
        raise ValueError(f"expected each loss once, got {shown(list(losses))}")
    return losses


Losses = Annotated[tuple[LossName, ...], OneOrMore, Field(min_length=1), AfterValidator(_each_once)]


class Recipe(Model):
    """A threat of the catalogue.

    Fields that an engine does not have keep their defaults; giving them another value is an error.

    Attributes:
        name: as written in suites, audits and reports; the name of its file.
        summary: what it does, in one sentence.
        citation: paper and year; empty for the user's own.
        notes: what a reader of its numbers should know.
        engine: registered name, `corruption:NAME`, `torchattacks:NAME`, `foolbox:NAME`, an
            installed package's entry point, or plug-in `FILE.py:CLASS`.
        surface: whose images it changes: the queries', the support set's, or both.
        knowledge: what it sees of the learner: nothing, its outputs, or its gradients.
        norm: norm of one image's perturbation.
        eps: its bound, in [0, 1] pixel units before any normalisation.
        steps: steps of each restart.
        restarts: independent starts; the worst point counts.
        step_size: length of a step, as a fraction of eps; `auto` tries some on meta-val episodes.
        loss: losses to climb; each gets all restarts, and the worst point counts. Of a regression,
            `squared-error`.
        targets: `untargeted` leaves the true label; `shifted` approaches the label after it.
        severity: level of a corruption, 1 to 5.
        fraction: share of mislabelled, replaced or triggered support images, in (0, 1].
        shot_fraction: share of the shots of a poisoned class that may be changed, in (0, 1].
        class_fraction: share of the classes that may be poisoned, in (0, 1].
        first_order: a poisoner that ignores second derivatives of the inner loop.
        options: further keyword arguments of the engine.
    """

    name: SafeName
    summary: Text
    citation: str = ""
    notes: str = ""
    engine: Annotated[str, AfterValidator(_check_engine)]
    surface: Surface
    knowledge: Knowledge
    norm: Norm | None = None
    eps: NonNegativeRatio | None = None
    steps: Count = 1
    restarts: Count = 1
    step_size: StepSize = 0.25
    loss: Losses = ("cross-entropy", "margin")
    targets: Targets = "untargeted"
    severity: Severity | None = None
    fraction: Share | None = None
    shot_fraction: Share = 1.0
    class_fraction: Share = 1.0
    first_order: Flag = False
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_engine(self) -> "Recipe":
        if mistakes := [*self._mismatches(), *self._impossible_budgets()]:
            raise ValueError("; ".join(mistakes))
        return self

    @property
    def kind(self) -> EngineKind:
        """What its engine is."""
        return engine_kind(self.engine)

    @property
    def family(self) -> Family:
        """What sort of threat a report files it under."""
        if self.kind.family is not None:
            return self.kind.family
        if self.knowledge == "none":
            return "noise"
        return "poison" if self.surface == "support" else "attack"

    @property
    def label(self) -> str:
        """Name and budget in a few words, unique within an audit.

        For example `pgd-linf eps=8/255 steps=20 restarts=2`.
        """
        words, said = [self.name], self.name.split("-")
        named = next((surface for surface in ("support", "both") if surface in said), "query")
        if self.family == "corruption" and self.surface != named:
            words.append(f"on-{self.surface}")
        if self.norm is not None and self.norm not in said:
            words.append(self.norm)
        if self.eps is not None:
            words.append(f"eps={show_ratio(self.eps)}")
        counts = {"steps": self.steps, "restarts": self.restarts}
        words += [f"{key}={value}" for key, value in counts.items() if value > 1]
        if self.severity is not None:
            words.append(f"severity={self.severity}")
        if self.fraction is not None:
            words.append(f"fraction={show_ratio(self.fraction)}")
        masks = {"shots": self.shot_fraction, "classes": self.class_fraction}
        words += [f"{key}={show_ratio(value)}" for key, value in masks.items() if value < 1]
        if self.targets != "untargeted":
            words.append(self.targets)
        if surrogate := self.options.get("surrogate"):
            words.append(f"from={PurePath(str(surrogate)).name.removesuffix('.safetensors')}")
        if (draws := self.options.get("eot", 1)) != 1:
            words.append(f"eot={draws}")
        if self.first_order and "first-order" not in self.name:
            words.append("first-order")
        return " ".join(words)

    def facts(self) -> dict[str, Any]:
        """What a run records of the threat, JSON-ready; None where a field does not apply."""
        applies = self.kind.fields(self.surface)
        values = self.model_dump(mode="json")
        described = ("name", "summary", "citation", "notes", "engine", "surface", "knowledge")
        return {
            **{key: values[key] for key in described},
            **{key: values[key] if key in applies else None for key in BUDGET_FIELDS},
            "options": values["options"],
            "label": self.label,
            "family": self.family,
        }

    def _mismatches(self) -> list[str]:
        """What does not go with the engine, or is missing for it."""
        kind = self.kind
        mistakes = []
        if self.surface not in kind.surfaces:
            possible = " or ".join(kind.surfaces)
            mistakes.append(f"engine {self.engine} acts on {possible}, got surface {self.surface}")
        if kind.blind != (self.knowledge == "none") and kind.name != "plugin":
            expected = "none" if kind.blind else "black-box or white-box"
            mistakes.append(
                f"engine {self.engine}: expected knowledge {expected}, got {self.knowledge}"
            )
        for field in BUDGET_FIELDS:
            value, default = getattr(self, field), type(self).model_fields[field].default
            if field not in kind.fields(self.surface) and value != default:
                mistakes.append(
                    f"engine {self.engine} on surface {self.surface} has no '{field}', got "
                    f"{shown(value)}; remove it"
                )
            given = field in self.model_fields_set and value is not None
            if field in kind.needs and not given:
                mistakes.append(f"engine {self.engine} needs '{field}'")
        if self.options and not kind.options:
            mistakes.append(f"engine {self.engine} has no options, got {shown(self.options)}")
        return mistakes

    def _impossible_budgets(self) -> list[str]:
        mistakes = []
        if self.norm == "linf" and self.eps is not None and self.eps > 1:
            likely = f"{self.eps:g}/255" if self.eps.is_integer() and self.eps <= 255 else ""
            hint = f"did you mean {likely}?" if likely else "images are floats, not bytes"
            mistakes.append(f"eps={self.eps:g} exceeds the data range [0,1]; {hint}")
        if self.kind.name in ("fgsm", "fgsm-rs"):
            if self.steps != 1:
                mistakes.append(f"{self.engine} takes one step, got {self.steps}; use engine pgd")
            if self.step_size == "auto" or self.step_size < 1:
                mistakes.append(
                    f"{self.engine} with step_size {self.step_size} stays inside the ball; set "
                    "it to 1 (fgsm) or 1.25 (fgsm-rs)"
                )
        return mistakes
