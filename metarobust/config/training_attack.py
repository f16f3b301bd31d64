"""The attack of an adversarial objective, or of the check on meta-val: an engine and a budget."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from metarobust.config.fields import Count, Flag, NonNegativeRatio, PositiveRatio
from metarobust.config.model import Model
from metarobust.config.recipe import Losses, Norm, Recipe

Surface = Literal["query", "support"]

_USUAL: dict[str, dict[str, Any]] = {
    "fgsm": {"steps": 1, "step_size": 1.0},
    "fgsm-rs": {"steps": 1, "step_size": 1.25},
}
"""What replaces the defaults of the fields under engines of one step."""


class AttackConfig(Model):
    """How training attacks its own episodes; the fields are those of a recipe.

    Attributes:
        engine: pgd, fgsm, or fgsm-rs (a random start, then one step).
        norm: norm of one image's perturbation.
        eps: its bound, in [0, 1] pixel units before any normalisation.
        steps: steps of each restart; 7 under pgd.
        restarts: independent starts; the worst point counts.
        step_size: length of a step as a fraction of eps: 0.25, fgsm 1, fgsm-rs 1.25.
        loss: losses to climb; each gets all restarts, and the worst point counts.
        first_order: on the support set, ignore second derivatives of the inner loop.
    """

    engine: Literal["pgd", "fgsm", "fgsm-rs"] = "pgd"
    norm: Norm = "linf"
    eps: NonNegativeRatio
    steps: Count = 7
    restarts: Count = 1
    step_size: PositiveRatio = 0.25
    loss: Losses = ("cross-entropy",)
    first_order: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _usual_steps(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("engine"), str):
            return data
        return {**_USUAL.get(data["engine"], {}), **data}

    @model_validator(mode="after")
    def _is_possible(self) -> "AttackConfig":
        try:
            self.recipe("support")
        except ValidationError as problem:
            found = problem.errors(include_url=False)
            raise ValueError("; ".join(str(error["ctx"]["error"]) for error in found)) from None
        return self

    def recipe(self, surface: Surface) -> Recipe:
        """The recipe of this attack on a surface."""
        return Recipe(
            name=f"{self.engine}-{self.norm}",
            summary="An attack of training.",
            engine=self.engine,
            surface=surface,
            knowledge="white-box",
            norm=self.norm,
            eps=self.eps,
            steps=self.steps,
            restarts=self.restarts,
            step_size=self.step_size,
            loss=self.loss,
            first_order=self.first_order and surface == "support",
        )


class CheckConfig(AttackConfig):
    """The attack that watches training on meta-val.

    Attributes:
        surface: what it attacks: the queries, or the support set through adaptation.
        episodes: attacked episodes of each validation; by default all of them.
    """

    surface: Surface = "query"
    episodes: Count | None = None
