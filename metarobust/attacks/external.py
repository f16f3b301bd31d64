"""The bridge to attack libraries: one of their attacks on one episode's adapted classifier.

What a library does not check is checked here, and what it breaks is contained: see `guard` for
side effects, `external_catalogue` and `foolbox_catalogue` for the limits of each attack. Nothing an
attack returns is mended: it keeps its budget or the call fails.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from metarobust.attacks import external_catalogue, foolbox_catalogue
from metarobust.attacks.guard import FrozenClassifier, guarded
from metarobust.attacks.library import AttackFacts, Library
from metarobust.core.errors import AttackError, MetarobustError
from metarobust.core.seeds import derive_seed

LIBRARIES: Mapping[str, Library] = {
    library.name: library for library in (external_catalogue.LIBRARY, foolbox_catalogue.LIBRARY)
}
"""The libraries whose attacks a recipe can name, as `NAME:ATTACK`."""


def library_attack(
    library: Library,
    name: str,
    classifier: Callable[[Tensor], Tensor],
    learner_module: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    ways: int,
    eps: float,
    steps: int,
    norm: str,
    options: Mapping[str, Any],
    seed: int,
    scale: float = 1.0,
    step_size: float = 0.25,
    restarts: int = 1,
) -> Tensor:
    """Attack the queries of one episode with an attack of a library.

    An attack without eps (CW, DeepFool, EADEN) looks for the smallest perturbation; a row whose
    perturbation exceeds eps is a failure and is returned clean, as FAB does of itself. The CW of
    torchattacks cannot move a pixel that is exactly 0 or 1 (its tanh variable is infinite there),
    and its EADEN leaves [0, 1] by about 1e-5 beside such pixels, which is an error here: prefer
    others on binary images.

    Args:
        library: whose attack.
        name: its class, such as `PGD`.
        classifier: queries [Q, C, H, W] to logits [Q, N]; adapted, holding no autograd graph.
        learner_module: the learner behind it; left bit-identical.
        x: queries, floating point [Q, C, H, W] in [0, 1].
        y: their labels, int64 [Q] in [0, N).
        ways: number of classes N.
        eps: bound on the perturbation of one image, in [0, 1] pixel units; 0 returns the queries.
        steps: iterations (for Square: model queries per image).
        norm: `linf`, `l2` or `l1`.
        options: further constructor arguments of the class, by their own names.
        seed: every draw of the attack follows from it.
        scale: what the logits are divided by; see `FrozenClassifier`.
        step_size: length of a step as a fraction of eps, for the attacks that take one.
        restarts: independent starts.

    Returns:
        The queries the attack left, [Q, C, H, W]: finite, in [0, 1], within eps. Whether they fool
        the learner is for the caller to judge.

    Raises:
        ConfigError: the attack, its budget and its options do not go together.
        AttackError: the attack cannot run on this learner or input, failed, or broke its contract.
    """
    facts, attack = library.facts(name), f"{library.name} {name}"
    start = derive_seed(seed, library.name, name)
    arguments = library.arguments(
        name,
        ways=ways,
        eps=eps,
        steps=steps,
        norm=norm,
        options=options,
        seed=start,
        step_size=step_size,
        restarts=restarts,
    )
    _check_inputs(attack, facts, x, y, ways)
    clean = x.detach()
    if eps == 0 or len(x) == 0:
        return clean.clone()
    model = FrozenClassifier(classifier, scale=scale, device=x.device)
    # Libraries flatten with `view`, which a channels_last batch refuses.
    start_x = clean.clone(memory_format=torch.contiguous_format)
    with guarded(learner_module, seed=start), torch.enable_grad():
        _check_classifier(library, attack, facts, model, start_x, ways)
        try:
            found = library.run(name, arguments, model, start_x, y.clone(), eps)
        except MetarobustError:
            raise
        except Exception as problem:
            raise _broken(attack, f"failed with {type(problem).__name__}: {problem}") from problem
    if not isinstance(found, Tensor) or found.shape != x.shape:
        shape = getattr(found, "shape", type(found))
        raise _broken(attack, f"returned {shape}, not {x.shape}")
    adversarial = found.detach().to(clean)
    if facts.minimal:
        beyond = _size(adversarial - clean, norm) > eps
        adversarial = torch.where(beyond.view(-1, 1, 1, 1), clean, adversarial)
    _check_result(attack, clean, adversarial, eps, norm)
    return adversarial


def _check_inputs(attack: str, facts: AttackFacts, x: Tensor, y: Tensor, ways: int) -> None:
    if x.ndim != 4 or not x.is_floating_point():
        raise _broken(attack, f"needs float images [Q, C, H, W], got {x.dtype} {list(x.shape)}")
    if facts.channels not in (None, x.shape[1]):
        raise _broken(attack, f"needs {facts.channels} channels, got {x.shape[1]}")
    if y.shape != x.shape[:1] or y.dtype != torch.int64:
        raise _broken(attack, f"needs int64 labels [{len(x)}], got {y.dtype} {list(y.shape)}")
    if len(x) and not (x.min() >= 0 and x.max() <= 1):
        raise _broken(
            attack,
            f"needs queries in [0, 1], got {x.min():.3g} to {x.max():.3g}; it would clamp them "
            "without a word. A normalisation belongs inside the learner",
        )
    if len(y) and not (y.min() >= 0 and y.max() < ways):
        raise _broken(attack, f"needs labels in [0, {ways}), got {y.min()} to {y.max()}")


def _check_classifier(
    library: Library,
    attack: str,
    facts: AttackFacts,
    model: FrozenClassifier,
    x: Tensor,
    ways: int,
) -> None:
    with torch.no_grad():
        together = model(x)
        if together.shape != (len(x), ways):
            raise _broken(attack, f"needs logits [{len(x)}, {ways}], got {list(together.shape)}")
        if not together.isfinite().all():
            raise _broken(attack, "needs finite logits; this learner's are not, on clean queries")
        if facts.joint:
            return
        alone = torch.cat([model(row) for row in torch.split(x[:3], 1)])
    if (together[:3] - alone).abs().max() > 1e-4 * (1 + together.abs().max()):
        raise _broken(
            attack,
            "drops queries one by one, but this classifier's prediction of a query changes with "
            "the batch around it (norm_mode batch) or at random; use an attack that moves the "
            f"whole batch: {', '.join(k for k, v in library.attacks.items() if v.joint)}",
        )


def _check_result(attack: str, clean: Tensor, adversarial: Tensor, eps: float, norm: str) -> None:
    if not adversarial.isfinite().all():
        raise _broken(attack, "returned values that are not finite")
    if adversarial.numel() and not (adversarial.min() >= 0 and adversarial.max() <= 1):
        raise _broken(attack, f"left [0, 1]: {adversarial.min():.6g} to {adversarial.max():.6g}")
    worst = float(_size(adversarial - clean, norm).max())
    if worst > eps * (1 + 1e-5) + 1e-6:
        raise _broken(attack, f"spent {worst:.6g} of a budget of {eps:.6g} in {norm}")


def _size(delta: Tensor, norm: str) -> Tensor:
    order = {"linf": math.inf, "l2": 2.0, "l1": 1.0}[norm]
    size: Tensor = torch.linalg.vector_norm(delta.flatten(1), ord=order, dim=1)
    return size


def _broken(attack: str, reason: str) -> AttackError:
    return AttackError(f"{attack}: {reason}")
