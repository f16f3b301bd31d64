"""What a threat will search: every engine with every loss it climbs, in order."""

from typing import NamedTuple

import torch
from torch import Tensor

from metarobust.attacks.base import Engine, Ensemble
from metarobust.threats.budget import Budget
from metarobust.threats.losses import Aim, aims


class Search(NamedTuple):
    """One engine climbing one loss.

    Attributes:
        engine: the maximiser.
        budget: how much it may do and spend.
        aim: the loss, towards one class if it is targeted.
    """

    engine: Engine
    budget: Budget
    aim: Aim


def members(engine: Engine | Ensemble, budget: Budget) -> tuple[tuple[Engine, Budget], ...]:
    """An ensemble's engines and their budgets; a single engine is its own only member."""
    return engine.members(budget) if isinstance(engine, Ensemble) else ((engine, budget),)


def searches(engine: Engine | Ensemble, budget: Budget, ways: int) -> tuple[Search, ...]:
    """Every search of an engine or an ensemble on a task of N ways."""
    return tuple(
        Search(one, share, aim)
        for one, share in members(engine, budget)
        for aim in aims(share.losses, ways, share.targets)
    )


def gradient_calls(engine: Engine | Ensemble, budget: Budget, ways: int) -> int:
    """Gradients of the objective that all searches take, none skipped."""
    return sum(one.engine.gradient_calls(one.budget) for one in searches(engine, budget, ways))


def draw_all(
    engine: Engine | Ensemble,
    budget: Budget,
    ways: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
) -> tuple[Tensor, ...]:
    """The random numbers of every search, in order; see `Engine.draw`."""
    return tuple(
        one.engine.draw(shape, one.budget, generator) for one in searches(engine, budget, ways)
    )


def is_cascade(engine: Engine | Ensemble) -> bool:
    """Whether units already broken are left out of later searches."""
    return isinstance(engine, Ensemble) and engine.cascade


def seeks_radius(engine: Engine | Ensemble, budget: Budget) -> bool:
    """Whether some member looks for the nearest point that changes a prediction; see `Engine`."""
    return any(getattr(one, "seeks_radius", False) for one, _ in members(engine, budget))
