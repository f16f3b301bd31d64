"""What the sanity checks need from the live learner, measured once on the first episode.

Every function returns scalars for a block's `extras`; the checks that read them say what they mean.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from metarobust.assembly.attack_threats import QueryAttack
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.threat import Outcome, Threat, adapter
from metarobust.attacks.pgd import PGD
from metarobust.core.engine import gradient
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.learners.base import Learner
from metarobust.threats.budget import Budget
from metarobust.threats.losses import cross_entropy, margin_loss, top_margin

Extras = dict[str, float]
Carry = Callable[[Threat], Outcome]
"""Carries a threat out on the first episode; its outcome has a leading episode axis of 1."""

REPEATS, ALONE = 5, 3
FLAT_MARGIN = 24 * math.log(2)
START = 8 / 255
STEP, FLOAT32_STEP = 1e-6, 1e-3
PATIENCE = (20, 100)

WITHOUT_GRADIENT = ("does not require grad", "Tensor that requires grad", "derivative for")
"""What torch says where a learner leaves the graph or an operation has no derivative."""

WITHOUT_FLOAT64 = ("dtype", "scalar type", "result type", "type (")
"""What torch says where a learner mixes float64 with a type of its own."""


def probe_learner(
    learner: Learner, episode: Episode, carry: Carry, scale: float, seed: int
) -> Extras:
    """Everything the checks of a learner read; costs about as much as five PGD-20 episodes.

    Of a regression only what does not ask for classes: whether queries see each other.

    Args:
        learner: left unchanged.
        episode: the first one, on any device.
        carry: see `Carry`.
        scale: the learner's logit scale.
        seed: of the audit.

    Raises:
        RuntimeError: the learner failed for another reason than having no gradient.
    """
    device = next(learner.parameters()).device
    here: Episode = tree_map(lambda leaf: leaf.to(device), episode)
    if here.regression:
        return _neighbours(learner, here)
    with torch.no_grad():
        logits = adapter(learner, here)(here.support_x)(here.query_x)
    return {
        **_repeats(learner, here),
        **_neighbours(learner, here),
        "probability_like": float(_is_probability(logits)),
        "saturated_share": float((top_margin(logits / scale) > FLAT_MARGIN).float().mean()),
        **_zero_gradients(learner, here, scale, seed),
        "gradient_error": _gradient_error(learner, here, scale, seed),
        **_support_gradient(learner, here, scale),
        "unbounded_accuracy": _unbounded(here, carry),
    }


@dataclass(frozen=True)
class Before:
    """What a threat must leave as it was; made before it is carried out.

    Attributes:
        clean: clean logits of the first episode.
        flags: training flags of the learner's modules.
        state: the global random state.
    """

    clean: Tensor
    flags: tuple[bool, ...]
    state: Tensor


def before(learner: Learner, carry: Carry) -> Before:
    """Remember a learner as it is."""
    return Before(carry(Clean()).logits, _flags(learner), torch.get_rng_state())


def probe_threat(
    was: Before,
    learner: Learner,
    threat: Threat,
    carry: Carry,
    outcome: Outcome | None,
    *,
    regression: bool = False,
) -> Extras:
    """What a threat did besides its work.

    Args:
        was: how things were before.
        learner: how it is now.
        threat: run once more.
        carry: see `Carry`.
        outcome: of the first run; None runs twice, where another number of episodes may round
            otherwise.
        regression: whether its queries are answered by values.
    """
    changed = not torch.equal(was.state, torch.get_rng_state())
    moved = (carry(Clean()).logits - was.clean).abs().max()
    first = carry(threat) if outcome is None else outcome
    answers, again = (_decided(one.logits[0], regression) for one in (first, carry(threat)))
    return {
        "clean_logits_moved": float(moved),
        "training_flags_changed": float(sum(map(bool.__ne__, was.flags, _flags(learner)))),
        "random_state_changed": float(changed),
        "rerun_difference": float((answers != again).float().mean()),
    }


def _decided(logits: Tensor, regression: bool) -> Tensor:
    """The class of each query [Q]; of a regression, the value."""
    return logits[:, 0] if regression else logits.argmax(1)


def _flags(learner: Learner) -> tuple[bool, ...]:
    return tuple(module.training for module in learner.modules())


@torch.no_grad()
def _repeats(learner: Learner, episode: Episode) -> Extras:
    runs = torch.stack(
        [adapter(learner, episode)(episode.support_x)(episode.query_x) for _ in range(REPEATS)]
    )
    hits = (runs.argmax(2) == episode.query_y).sum(1)
    units = torch.nn.functional.normalize(runs, dim=2)
    apart = (units.unsqueeze(0) - units.unsqueeze(1)).norm(dim=3).max()
    return {
        "repeat_spread": float(apart),
        "repeat_count_change": float(hits.max() - hits.min()),
    }


@torch.no_grad()
def _neighbours(learner: Learner, episode: Episode) -> Extras:
    classify = adapter(learner, episode)(episode.support_x)
    together = classify(episode.query_x)
    alone = torch.cat([classify(episode.query_x[q : q + 1]) for q in range(ALONE)])
    effect = (together[:ALONE] - alone).abs().max() / (1 + together.abs().max())
    return {"neighbour_effect": float(effect)}


def _is_probability(logits: Tensor) -> bool:
    inside = logits.min() > -1e-5 and logits.max() < 1 + 1e-5
    return bool(inside and ((logits.sum(1) - 1).abs() < 1e-5).all())


def _query_gradient(
    loss: Callable[[Tensor, Tensor], Tensor],
    classify: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    scale: float,
) -> Tensor:
    """The gradient of each query's loss [Q, *input]; zero where the learner has none."""
    found = _gradient_of(lambda z: loss(classify(z) / scale, labels).sum(), x)
    return torch.zeros_like(x) if found is None else found


def _gradient_of(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """A gradient; None where the learner has none. Any other failure is raised as it is."""
    try:
        found, _ = gradient(loss, x)
    except RuntimeError as problem:
        if not _says(problem, WITHOUT_GRADIENT):
            raise
        return None
    return torch.as_tensor(found)


def _says(problem: RuntimeError, phrases: tuple[str, ...]) -> bool:
    return any(phrase in str(problem) for phrase in phrases)


def _zero_gradients(learner: Learner, episode: Episode, scale: float, seed: int) -> Extras:
    with torch.no_grad():
        classify = adapter(learner, episode)(episode.support_x)
    x = episode.query_x
    starts = {"clean": x, "start": _start(x, seed)}
    losses = {"cross_entropy": cross_entropy, "margin": margin_loss}
    return {
        f"zero_{name}_gradients_{where}": float(
            (_sizes(_query_gradient(loss, classify, point, episode.query_y, scale)) == 0)
            .float()
            .mean()
        )
        for name, loss in losses.items()
        for where, point in starts.items()
    }


def _start(x: Tensor, seed: int) -> Tensor:
    noise = torch.rand(x.shape, generator=generator(seed, "probe", "start")) * 2 - 1
    return (x + START * noise.to(x)).clamp(0, 1)


def _sizes(gradients: Tensor) -> Tensor:
    return gradients.flatten(1).abs().sum(1)


def _gradient_error(learner: Learner, episode: Episode, scale: float, seed: int) -> float:
    """See check R8; 1 for a query without a gradient.

    Measured at a random start: in images of two grey levels max-pooling meets ties everywhere, and
    at a tie no gradient is the slope on both sides (0.36 on the glyph learners). Learners that
    insist on float32 are measured in it, with a step that it resolves.
    """
    exact, step = copy.deepcopy(learner).double(), STEP
    wide: Episode = tree_map(lambda t: t.double() if t.is_floating_point() else t, episode)
    with torch.no_grad():
        try:
            classify = adapter(exact, wide)(wide.support_x)
            classify(wide.query_x)
        except RuntimeError as problem:
            if not _says(problem, WITHOUT_FLOAT64):
                raise
            wide, step = episode, FLOAT32_STEP
            classify = adapter(learner, wide)(wide.support_x)
    x, labels = _start(wide.query_x, seed), wide.query_y
    found = _query_gradient(cross_entropy, classify, x, labels, scale)
    with torch.no_grad():
        up, down = (
            cross_entropy(classify(x + sign * step * found.sign()) / scale, labels)
            for sign in (1, -1)
        )
    predicted = 2 * step * _sizes(found)
    ratio = torch.where(predicted > 0, (up - down) / predicted.clamp(min=1e-30), 0.0)
    return float((ratio - 1).abs().median())


def _support_gradient(learner: Learner, episode: Episode, scale: float) -> Extras:
    if not learner.differentiable:
        return {}

    def loss(support_x: Tensor) -> Tensor:
        logits = adapter(learner, episode)(support_x)(episode.query_x)
        return cross_entropy(logits / scale, episode.query_y).mean()

    found = _gradient_of(loss, episode.support_x)
    return {"support_gradient": 0.0 if found is None else float(found.abs().sum())}


def _unbounded(episode: Episode, carry: Carry) -> float:
    """Accuracy when every pixel is free: first a short attack, then a long one if it must be."""
    left = 1.0
    for steps in PATIENCE:
        budget = Budget("linf", 1.0, steps=steps, losses=("margin",))
        said = carry(QueryAttack(PGD(), budget)).logits[0].argmax(1)
        left = float((said == episode.query_y).float().mean())
        if left <= 1 / episode.ways:
            break
    return left
