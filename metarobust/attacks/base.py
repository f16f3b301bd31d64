"""The contract of an attack engine: a maximiser that knows nothing of episodes."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from metarobust.core.registry import Registry
from metarobust.threats.ball import Ball, Norm
from metarobust.threats.budget import Budget


class Judged(NamedTuple):
    """What an objective says of one point.

    Attributes:
        loss: differentiable, [U]; the engine climbs it.
        score: [U]; larger is worse for the learner. The engine keeps the point with the largest
            score it saw, so that no success is forgotten on the way to a larger loss.
    """

    loss: Tensor
    score: Tensor


Objective = Callable[[Tensor], Judged]
"""Judges U independent units at a point [U, *unit]. On the query surface a unit is a query; on the
support surface, and wherever queries see each other, it is the whole set."""


class Perturbation(NamedTuple):
    """What an engine found.

    Attributes:
        x: the worst point seen for each unit, [U, *unit], inside the ball.
        score: its score [U].
        path: loss along the search, [T, U], in the order of evaluation.
        zero_gradients: share of gradients that were zero on a whole image, [U]; 0 without any.
        radius: norm of the smallest perturbation found that changes the prediction of each unit,
            wherever it lies, [U]; infinite where none was found. None if the engine seeks none.
    """

    x: Tensor
    score: Tensor
    path: Tensor
    zero_gradients: Tensor
    radius: Tensor | None = None


class Engine(Protocol):
    """An attack engine. One instance serves every episode; it keeps no state.

    Attributes:
        version: raise it whenever the engine's numbers change; it is part of every cell's key.
        norms: the norms it can bound.
        adversarial: whether it looks at the learner. If so, the clean point competes with what it
            found; if not (a noise floor), its draw is taken as it comes.
        differentiates: whether it needs gradients of the objective.

    Two further attributes may be left out:
        losses: the losses it may climb, most fitting first; all of them if left out.
        seeks_radius: True if it looks for the nearest point that changes a unit's prediction (score
            above 0), which has no meaning where a unit is a whole set.
    """

    version: ClassVar[int]
    norms: ClassVar[tuple[Norm, ...]]
    adversarial: ClassVar[bool]
    differentiates: ClassVar[bool]

    def gradient_calls(self, budget: Budget) -> int:
        """Gradients of the objective that `maximise` takes."""
        ...

    def draw(self, shape: tuple[int, ...], budget: Budget, generator: torch.Generator) -> Tensor:
        """Every random number `maximise` will use for inputs of this shape, drawn on the CPU.

        Drawing first lets the engine run under `vmap` and gives an episode the same draws whatever
        the block size, the order, the workers or the device.

        Args:
            shape: of the images, [n, *image].
            budget: how much will be searched.
            generator: source of randomness.

        Returns:
            [..., n, *some], with as many trailing axes as an image has, of any size: the harness
            inserts a unit axis before n, or picks some of the n, without knowing what they mean.
        """
        ...

    def maximise(
        self, objective: Objective, x: Tensor, ball: Ball, budget: Budget, draws: Tensor
    ) -> Perturbation:
        """Search the ball around `x` [U, *unit] for the point of largest score."""
        ...


@runtime_checkable
class Ensemble(Protocol):
    """Several engines whose per-unit worst case counts.

    Attributes:
        version: raise it whenever the choice of members changes.
        norms: the norms all members can bound.
        adversarial: always True.
        cascade: whether a member only continues on the units that none before it has broken. Then
            accuracy is the same at a fraction of the cost, but a unit keeps the first point that
            broke it instead of the worst, so that calibration is under the weaker attack.
    """

    version: ClassVar[int]
    norms: ClassVar[tuple[Norm, ...]]
    adversarial: ClassVar[bool]

    @property
    def cascade(self) -> bool:
        """See the class."""
        ...

    def members(self, budget: Budget) -> tuple[tuple[Engine, Budget], ...]:
        """The engines in their order, each with the budget and the losses it gets."""
        ...


ENGINES: Registry[Callable[..., Engine | Ensemble]] = Registry("attack engine")
"""Engine factories; their keyword arguments are the `options` of a recipe."""


class Best(NamedTuple):
    """The worst point seen so far for each unit."""

    x: Tensor
    score: Tensor

    def challenged_by(self, x: Tensor, score: Tensor) -> "Best":
        """Keep, unit by unit, whichever point has the larger score."""
        better = score > self.score
        shape = (-1, *(1,) * (x.ndim - 1))
        return Best(
            torch.where(better.view(shape), x, self.x), torch.where(better, score, self.score)
        )
