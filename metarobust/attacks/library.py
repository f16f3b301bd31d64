"""What the bridge must know of a library of attacks, and of each attack in it."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from metarobust.core.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class AttackFacts:
    """What the bridge must know of an attack.

    Attributes:
        norms: the norms it can bound.
        joint: the whole batch takes every step together, so the attack also holds where the
            prediction of one query depends on its neighbours. The others drop, keep or repeat
            single rows.
        minimal: it has no eps, and looks for the smallest perturbation of each row instead.
        channels: the one number of channels it works for.
        ways: the fewest classes it works for.
        steps: the fewest steps it works for.
    """

    norms: tuple[str, ...]
    joint: bool = False
    minimal: bool = False
    channels: int | None = None
    ways: int = 2
    steps: int = 1


@dataclass(frozen=True)
class Library:
    """A library whose attacks the bridge runs.

    Attributes:
        name: of the package, as in a recipe's `NAME:ATTACK`.
        attacks: the attacks offered, by the name of their class.
        refused: those that are not, and why.
        load: the class of an attack; imports the package.
        arguments: the constructor arguments that give an attack its budget: called with its name,
            and by keyword `ways`, `eps`, `steps`, `norm`, `options`, `seed`, `step_size` and
            `restarts`. It refuses with a `ConfigError` what does not go together.
        run: carries an attack out: its name, its arguments, the frozen classifier, queries
            [Q, C, H, W], their labels [Q] and eps; returns perturbed queries.
    """

    name: str
    attacks: Mapping[str, AttackFacts]
    refused: Mapping[str, str]
    load: Callable[[str], Callable[..., Any]]
    arguments: Callable[..., dict[str, Any]]
    run: Callable[[str, Mapping[str, Any], nn.Module, Tensor, Tensor, float], Any]

    def facts(self, name: str) -> AttackFacts:
        """The facts of an attack, by the exact name of its class.

        Raises:
            ConfigError: the attack is unknown (near names are suggested) or refused (and why).
        """
        return find_facts(self.name, self.attacks, self.refused, name)


def find_facts(
    library: str, attacks: Mapping[str, AttackFacts], refused: Mapping[str, str], name: str
) -> AttackFacts:
    """See `Library.facts`."""
    if name in refused:
        raise ConfigError(f"{library} {name} is not offered: {refused[name]}")
    if name not in attacks:
        spelling = {known.casefold(): known for known in attacks}.get(name.casefold())
        hint = f"did you mean '{spelling}'?" if spelling else did_you_mean(name, attacks)
        raise ConfigError(f"unknown {library} attack '{name}': {hint}")
    return attacks[name]


def parameters_of(attack: Callable[..., Any]) -> set[str]:
    """The names of a constructor's arguments, all but its `model`."""
    return set(inspect.signature(attack).parameters) - {"model"}


def check_request(
    attack: str, facts: AttackFacts, *, ways: int, eps: float, steps: int, norm: str
) -> None:
    """Refuse a budget that an attack cannot keep.

    Raises:
        ConfigError: the norm, eps, the number of ways or of steps is not one it works for.
    """
    if norm not in facts.norms:
        raise ConfigError(f"{attack}: bounds {' or '.join(facts.norms)}, not {norm}")
    if not 0 <= eps < math.inf:
        raise ConfigError(f"{attack}: expected a finite eps of at least 0, got {eps}")
    if ways < facts.ways:
        raise ConfigError(
            f"{attack}: needs {facts.ways} ways or more for its loss, got {ways}; use APGD with "
            "its cross-entropy loss"
        )
    if steps < facts.steps:
        raise ConfigError(f"{attack}: needs {facts.steps} steps or more, got {steps}")


def check_options(
    attack: str, options: Collection[str], taken: Collection[str], budget: Collection[str]
) -> None:
    """Refuse options that a constructor does not take, or that follow from the budget.

    Raises:
        ConfigError: names the option, and near ones.
    """
    for option in options:
        if option in budget:
            raise ConfigError(f"{attack}: '{option}' follows from the budget; not an option")
        if option not in taken:
            hint = did_you_mean(option, set(taken) - set(budget))
            raise ConfigError(f"{attack}: takes no option '{option}': {hint}")
