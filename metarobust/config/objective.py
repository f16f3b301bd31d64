"""What a meta-training minimises: clean, adversarial, augmented, or a mixture of these."""

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from metarobust.config.fields import (
    NonNegativeRatio,
    PositiveRatio,
    Severity,
    Share,
    Text,
    show_ratio,
    shown,
)
from metarobust.config.model import Model
from metarobust.config.recipe import Surface
from metarobust.config.training_attack import AttackConfig

Name = Literal[
    "episodic",
    "classification",
    "aq",
    "as",
    "adml",
    "r-maml",
    "label-noise",
    "corruption",
    "mixture",
]
Labels = Literal["given", "predicted"]
Term = Literal["cross-entropy", "kl"]


class _Fields(NamedTuple):
    """Fields that a kind of objective must have, and those it may have."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_FIELDS: dict[str, _Fields] = {
    "episodic": _Fields(),
    "classification": _Fields(),
    "aq": _Fields(("attack",), ("labels",)),
    "as": _Fields(("attack",), ("labels",)),
    "adml": _Fields(("attack",), ("labels",)),
    "r-maml": _Fields(("attack",), ("labels", "term", "beta")),
    "label-noise": _Fields(("fraction",)),
    "corruption": _Fields(("corruption", "severity"), ("surface",)),
    "mixture": _Fields(("parts",)),
}


class ObjectiveConfig(Model):
    """What is minimised. A bare word is a name.

    Fields that a kind of objective does not have keep their defaults; giving them another value is
    an error.

    Attributes:
        name: `episodic`: the learner's own loss on clean episodes, for most learners cross-entropy
            of the queries after adaptation; `classification`: ordinary training on all meta-train
            classes, as transfer baselines are pre-trained; `aq`: loss of
            attacked queries (adversarial querying); `as`: loss after adaptation to an attacked
            support set (adversarial support); `adml`: the mean of `aq` and `as`; `r-maml`: clean
            loss plus an adversarial term on attacked queries; `label-noise` and `corruption`: clean
            loss on noisy labels or corrupted images; `mixture`: each episode draws one of `parts`.
        attack: how episodes are attacked.
        labels: what the attacker believes: the `given` labels, or those `predicted` for the clean
            images, which write nothing of the truth into the attacked ones, as a single step can.
        term: of r-maml: `cross-entropy` of the attacked queries, or `kl`, the divergence of their
            predictions from the clean ones (TRADES), which the attack then climbs too.
        beta: weight of that term.
        fraction: share of mislabelled support images, in (0, 1].
        corruption: name of a corruption.
        severity: its level, 1 to 5.
        surface: what is corrupted: the queries, the support set, or both.
        parts: the objectives of a mixture.
    """

    short_form: ClassVar[str | None] = "name"

    name: Name
    attack: AttackConfig | None = None
    labels: Labels = "given"
    term: Term = "cross-entropy"
    beta: NonNegativeRatio = 1.0
    fraction: Share | None = None
    corruption: Text | None = None
    severity: Severity | None = None
    surface: Surface = "both"
    parts: Annotated[tuple["PartConfig", ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _fits_its_name(self) -> "ObjectiveConfig":
        kind, mistakes = _FIELDS[self.name], []
        for field in ("attack", *_FIELDS["r-maml"].takes, "fraction", *_CORRUPTION, "parts"):
            value, default = getattr(self, field), type(self).model_fields[field].default
            if field in kind.needs and not value:
                mistakes.append(f"objective {self.name} needs '{field}'")
            if field not in kind.needs + kind.takes and value != default:
                found = "it" if isinstance(value, Model | tuple) else shown(value)
                mistakes.append(f"objective {self.name} has no '{field}', got {found}; remove it")
        mistakes += [
            f"a mixture holds objectives of one episode, got {part.name}"
            for part in self.parts
            if part.name in ("mixture", "classification")
        ]
        mistakes += self._misuse_of_divergence()
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _misuse_of_divergence(self) -> list[str]:
        if self.name != "r-maml" or self.term != "kl" or self.attack is None:
            return []
        mistakes = []
        if self.labels == "predicted":
            mistakes.append("term kl looks at no labels, got labels: predicted; remove it")
        if self.attack.loss != ("cross-entropy",):
            mistakes.append(
                f"term kl climbs the divergence, got loss {', '.join(self.attack.loss)}; remove it"
            )
        if self.attack.engine == "fgsm":
            mistakes.append(
                "term kl has no slope at the clean images, where fgsm starts; use fgsm-rs or pgd"
            )
        return mistakes

    @model_serializer(mode="wrap")
    def _only_its_own(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kind = _FIELDS[self.name]
        own = ("name", "weight", *kind.needs, *kind.takes)
        return {key: value for key, value in handler(self).items() if key in own}

    @property
    def single_step(self) -> bool:
        """Whether some episode is attacked by a single step, which may be overfitted."""
        here = self.attack is not None and self.attack.steps == 1
        return here or any(part.single_step for part in self.parts)

    @property
    def threat(self) -> str:
        """What the learner meets in training, and how much of it; `none` when it is clean.

        For example `aq pgd-linf eps=0.1 steps=7`.
        """
        if self.name in ("episodic", "classification"):
            return "none"
        if self.parts:
            whole = sum(part.weight for part in self.parts)
            return " + ".join(
                f"{show_ratio(round(part.weight / whole, 3))} "
                f"{'clean' if part.threat == 'none' else part.threat}"
                for part in self.parts
            )
        words: list[str] = [self.name]
        if self.attack is not None:
            words.append(self.attack.recipe("support" if self.name == "as" else "query").label)
        if self.name == "r-maml":
            words += [*(["kl"] if self.term == "kl" else []), f"beta={show_ratio(self.beta)}"]
        if self.labels == "predicted":
            words.append("predicted-labels")
        if self.fraction is not None:
            words.append(f"fraction={show_ratio(self.fraction)}")
        if self.corruption is not None:
            words += [self.corruption, f"severity={self.severity}", f"on-{self.surface}"]
        return " ".join(words)


_CORRUPTION = ("corruption", "severity", "surface")


class PartConfig(ObjectiveConfig):
    """One objective of a mixture.

    Attributes:
        weight: how often an episode draws it, relative to the other parts.
    """

    weight: PositiveRatio = 1.0


ObjectiveConfig.model_rebuild()
