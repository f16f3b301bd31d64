"""The attacks of torchattacks that the bridge offers: their limits, and the arguments they take."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from metarobust.attacks.library import (
    AttackFacts,
    Library,
    check_options,
    check_request,
    find_facts,
    parameters_of,
)
from metarobust.core.errors import ConfigError

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


def load_attack(name: str) -> Callable[..., Any]:
    """The class of an offered attack; imports torchattacks.

    Raises:
        ConfigError: torchattacks is missing, or the installed release lacks the attack.
    """
    find_facts("torchattacks", TORCHATTACKS, _REFUSED, name)
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
    attack, facts = f"torchattacks {name}", LIBRARY.facts(name)
    # DLR divides by the gap to the third logit; its targeted form looks at the fourth.
    fewest_ways = max(facts.ways, 3 if options.get("loss") == "dlr" else 2)
    check_request(
        attack, replace(facts, ways=fewest_ways), ways=ways, eps=eps, steps=steps, norm=norm
    )
    taken = parameters_of(load_attack(name))
    if steps > 1 and taken.isdisjoint(_STEPS):
        raise ConfigError(f"{attack}: takes one step; set steps to 1, not {steps}")
    if restarts > 1 and "n_restarts" not in taken:
        raise ConfigError(f"{attack}: has no restarts; set them to 1, not {restarts}")
    budget = {
        "eps": eps,
        "max_epsilon": eps,
        **dict.fromkeys(_STEPS, steps),
        "norm": _NORMS[norm],
        "n_classes": ways,
        "n_restarts": restarts,
        "seed": seed,
    }
    check_options(attack, options, taken, budget)
    # PGDL2's own 1e-10 is not small beside the gradient of a mean over a large batch, which makes
    # the length of its steps depend on the batch size.
    defaults = {"alpha": step_size * eps, "eps_for_division": 1e-30}
    return {**{k: v for k, v in (budget | defaults).items() if k in taken}, **options}


def _run(
    name: str, arguments: Mapping[str, Any], model: nn.Module, x: Tensor, y: Tensor, eps: float
) -> Any:
    return load_attack(name)(model, **arguments)(x, y)


LIBRARY = Library("torchattacks", TORCHATTACKS, _REFUSED, load_attack, torchattacks_arguments, _run)
