"""The attacks of torchattacks that the bridge offers: their limits, and the arguments they take."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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


_SIGN = AttackFacts(("linf",), joint=True)
_COLOUR = replace(_SIGN, channels=3)
_EITHER = AttackFacts(("linf", "l2"))
_MINIMAL = AttackFacts(("l2",), minimal=True)

TORCHATTACKS: Mapping[str, AttackFacts] = {
    **dict.fromkeys(("FGSM", "FFGSM", "RFGSM", "BIM", "PGD", "EOTPGD", "TPGD", "UPGD"), _SIGN),
    **dict.fromkeys(("MIFGSM", "NIFGSM", "SINIFGSM", "VMIFGSM", "VNIFGSM"), _SIGN),
    **dict.fromkeys(("DIFGSM", "Jitter"), _SIGN),
    **dict.fromkeys(("TIFGSM", "PIFGSM", "PIFGSMPP"), _COLOUR),
    "PGDL2": AttackFacts(("l2",), joint=True),
    **dict.fromkeys(("APGD", "FAB", "Square"), _EITHER),
    "APGDT": replace(_EITHER, ways=4),
    **dict.fromkeys(("PGDRS", "SPSA"), AttackFacts(("linf",))),
    "PGDRSL2": AttackFacts(("l2",)),
    **dict.fromkeys(("CW", "DeepFool"), _MINIMAL),
    "EADEN": replace(_MINIMAL, steps=10),
}
"""By the name of the class; some exist only in releases 3.4 and later."""

_REFUSED: Mapping[str, str] = {
    "AutoAttack": (
        "it runs its parts for 10 steps, not the published 100; name the parts instead: APGD and "
        "APGDT with steps 100, FAB with multi_targeted true, Square with resc_schedule false"
    ),
    **dict.fromkeys(("OnePixel", "Pixle", "SparseFool", "JSMA"), "it is bounded in l0 only"),
    "EADL1": "it is bounded in l1 only",
    "VANILA": "it changes nothing; audit the clean cell instead",
    "GN": "it is noise without a budget; use the gaussian-noise corruption",
    **dict.fromkeys(("MultiAttack", "LGV"), "it wraps other attacks; name those instead"),
}

_NORMS = {"linf": "Linf", "l2": "L2"}
_STEPS = ("steps", "num_iter_set", "nb_iter", "max_iterations", "n_queries")


def attack_facts(name: str) -> AttackFacts:
    """The facts of an attack, by the exact name of its class.

    Raises:
        ConfigError: the attack is unknown (near names are suggested) or refused (with the reason).
    """
    if name in _REFUSED:
        raise ConfigError(f"torchattacks {name} is not offered: {_REFUSED[name]}")
    if name not in TORCHATTACKS:
        spelling = {known.casefold(): known for known in TORCHATTACKS}.get(name.casefold())
        hint = f"did you mean '{spelling}'?" if spelling else did_you_mean(name, TORCHATTACKS)
        raise ConfigError(f"unknown torchattacks attack '{name}': {hint}")
    return TORCHATTACKS[name]


def load_attack(name: str) -> Callable[..., Any]:
    """The class of an offered attack; imports torchattacks.

    Raises:
        ConfigError: torchattacks is missing, or the installed release lacks the attack.
    """
    attack_facts(name)
    try:
        import torchattacks
    except ImportError as problem:
        raise ConfigError(
            f"torchattacks:{name} needs a package that cannot be imported ({problem}): "
            "pip install torchattacks==3.3.0 scipy, or: pip install --no-deps torchattacks==3.5.1 "
            "(releases from 3.4 on declare an old requests that they never import)"
        ) from None
    attack: Callable[..., Any] | None = getattr(torchattacks, name, None)
    if attack is None:
        raise ConfigError(
            f"torchattacks {torchattacks.__version__} has no {name}, which another release has: "
            "pip install --no-deps torchattacks==3.5.1"
        )
    return attack


def torchattacks_arguments(
    name: str,
    *,
    ways: int,
    eps: float,
    steps: int,
    norm: str,
    options: Mapping[str, Any],
    seed: int = 0,
    step_size: float = 0.25,
    restarts: int = 1,
) -> dict[str, Any]:
    """The constructor arguments that give an attack its budget.

    Calling it checks, before any computing, that an attack, a budget and options go together.

    Args:
        name: the class in torchattacks, such as `PGD`.
        ways: number of classes N.
        eps: bound on the perturbation of one image, in [0, 1] pixel units.
        steps: iterations (for Square: model queries per image).
        norm: `linf` or `l2`.
        options: further constructor arguments by their own names, such as `loss: dlr`.
        seed: for the attacks that take one.
        step_size: length of a step as a fraction of eps, for the attacks that take one (FFGSM is
            published with 1.25).
        restarts: independent starts.

    Returns:
        Keyword arguments of the class, all but its `model`.

    Raises:
        ConfigError: torchattacks is missing, or has no such attack; the attack cannot bound this
            norm, cannot run with so few ways or steps, or does not take an option.
    """
    facts = attack_facts(name)
    # DLR divides by the gap to the third logit; its targeted form looks at the fourth.
    fewest_ways = max(facts.ways, 3 if options.get("loss") == "dlr" else 2)

    def refuse_unless(possible: bool, reason: str) -> None:
        if not possible:
            raise ConfigError(f"torchattacks {name}: {reason}")

    refuse_unless(norm in facts.norms, f"bounds {' or '.join(facts.norms)}, not {norm}")
    refuse_unless(0 <= eps < math.inf, f"expected a finite eps of at least 0, got {eps}")
    refuse_unless(
        ways >= fewest_ways,
        f"needs {fewest_ways} ways or more for its loss, got {ways}; use APGD with its "
        "cross-entropy loss",
    )
    refuse_unless(steps >= facts.steps, f"needs {facts.steps} steps or more, got {steps}")
    taken = set(inspect.signature(load_attack(name)).parameters) - {"model"}
    refuse_unless(
        steps == 1 or not taken.isdisjoint(_STEPS), f"takes one step; set steps to 1, not {steps}"
    )
    refuse_unless(
        restarts == 1 or "n_restarts" in taken, f"has no restarts; set them to 1, not {restarts}"
    )
    budget = {
        "eps": eps,
        "max_epsilon": eps,
        **dict.fromkeys(_STEPS, steps),
        "norm": _NORMS[norm],
        "n_classes": ways,
        "n_restarts": restarts,
        "seed": seed,
    }
    for option in options:
        refuse_unless(option not in budget, f"'{option}' follows from the budget; not an option")
        refuse_unless(
            option in taken,
            f"takes no option '{option}': {did_you_mean(option, taken - set(budget))}",
        )
    # PGDL2's own 1e-10 is not small beside the gradient of a mean over a large batch, which makes
    # the length of its steps depend on the batch size.
    defaults = {"alpha": step_size * eps, "eps_for_division": 1e-30}
    return {**{k: v for k, v in (budget | defaults).items() if k in taken}, **options}
