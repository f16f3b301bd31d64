"""The attacks of foolbox that the bridge offers: their limits, and the arguments they take."""

import warnings
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

_BY_NORM = {norm: AttackFacts((norm,), joint=True) for norm in ("linf", "l2", "l1")}
_PREFIXES = {"Linf": "linf", "L2": "l2", "L1": "l1"}
_MINIMAL = {norm: replace(facts, joint=False, minimal=True) for norm, facts in _BY_NORM.items()}

FOOLBOX: Mapping[str, AttackFacts] = {
    **{
        f"{prefix}{method}": _BY_NORM[norm]
        for prefix, norm in _PREFIXES.items()
        for method in (
            "FastGradientAttack",
            "BasicIterativeAttack",
            "ProjectedGradientDescentAttack",
            "AdamBasicIterativeAttack",
            "AdamProjectedGradientDescentAttack",
        )
    },
    **dict.fromkeys(("FGSM", "PGD", "LinfPGD", "AdamPGD", "LinfAdamPGD"), _BY_NORM["linf"]),
    **dict.fromkeys(("FGM", "L2PGD", "L2AdamPGD", "VirtualAdversarialAttack"), _BY_NORM["l2"]),
    **dict.fromkeys(("L1PGD", "L1AdamPGD", "SparseL1DescentAttack"), _BY_NORM["l1"]),
    **dict.fromkeys(("LinfDeepFoolAttack", "LInfFMNAttack"), _MINIMAL["linf"]),
    **dict.fromkeys(
        ("BoundaryAttack", "DDNAttack", "L2CarliniWagnerAttack", "L2DeepFoolAttack", "L2FMNAttack"),
        _MINIMAL["l2"],
    ),
    **dict.fromkeys(("EADAttack", "L1FMNAttack"), _MINIMAL["l1"]),
}
"""By the name of the class, or of its alias."""

_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("L0FMNAttack", "L0BrendelBethgeAttack"), "it is bounded in l0 only"),
    **dict.fromkeys(
        ("L1BrendelBethgeAttack", "L2BrendelBethgeAttack", "LinfinityBrendelBethgeAttack"),
        "it needs numba; use an FMN attack, which also follows the boundary",
    ),
    "SpatialAttack": "it is not bounded in a norm; use the corruptions rotate and translate",
    "DatasetAttack": "it draws its answers from other images, which it must be fed first",
    "HopSkipJumpAttack": "it asks single rows thousands of times; use rays-linf",
    "NewtonFoolAttack": "it divides by a gradient that may be zero, and returns NaN",
    "GenAttack": "it needs a target class of the attacker's choosing",
}
"""Noise and contrast attacks are left to our noise floors and corruptions, and are unknown."""

_STEP = "rel_stepsize"


def load_attack(name: str) -> Callable[..., Any]:
    """The class of an offered attack; imports foolbox.

    Raises:
        ConfigError: foolbox is missing, or the installed release lacks the attack.
    """
    find_facts("foolbox", FOOLBOX, _REFUSED, name)
    try:
        # It imports from corners of scipy that warn whoever comes.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import foolbox
    except ImportError as problem:
        raise ConfigError(
            f"foolbox:{name} needs a package that cannot be imported ({problem}): "
            "pip install 'metarobust[foolbox]'"
        ) from None
    attack: Callable[..., Any] | None = getattr(foolbox.attacks, name, None)
    if attack is None:
        raise ConfigError(
            f"foolbox {foolbox.__version__} has no {name}: pip install 'foolbox>=3.3.4'"
        )
    return attack


def foolbox_arguments(
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

    Calling it checks, before any computing, that an attack, a budget and options go together. The
    arguments are those of `torchattacks_arguments`; foolbox takes eps and its randomness elsewhere.

    Raises:
        ConfigError: foolbox is missing, or has no such attack; the attack cannot bound this norm,
            cannot run with so few ways or steps, or does not take an option.
    """
    attack = f"foolbox {name}"
    check_request(attack, LIBRARY.facts(name), ways=ways, eps=eps, steps=steps, norm=norm)
    taken = parameters_of(load_attack(name))
    if steps > 1 and "steps" not in taken:
        raise ConfigError(f"{attack}: takes one step; set steps to 1, not {steps}")
    if restarts > 1:
        raise ConfigError(f"{attack}: has no restarts; set them to 1, not {restarts}")
    budget = {"steps": steps, _STEP: step_size}
    check_options(attack, options, taken, (*budget, "abs_stepsize"))
    return {**{key: value for key, value in budget.items() if key in taken}, **options}


def _run(
    name: str, arguments: Mapping[str, Any], model: nn.Module, x: Tensor, y: Tensor, eps: float
) -> Any:
    attack = load_attack(name)(**arguments)
    from foolbox.models.pytorch import PyTorchModel

    seen = PyTorchModel(model, bounds=(0, 1), device=x.device)
    # What a minimum-norm attack finds is taken whole: clipped to eps it would not be its answer.
    budget = None if FOOLBOX[name].minimal else eps
    raw, _, _ = attack(seen, x, y, epsilons=budget)
    return raw


LIBRARY = Library("foolbox", FOOLBOX, _REFUSED, load_attack, foolbox_arguments, _run)
