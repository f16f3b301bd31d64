"""Checks that compare attacks with each other: strong with weak, long with short."""

from collections.abc import Callable, Sequence
from typing import Any

from metarobust.audit.check import (
    ENSEMBLES,
    Check,
    Finding,
    beaten_by,
    same,
    same_learner,
    threat_of,
)
from metarobust.audit.scores import CellScores

Threat = dict[str, Any]

BLACK_BOX_SLACK, LOSS_SLACK, STEPS_SLACK = 0.002, 0.02, 0.01

_BUDGET = ("surface", "norm", "eps", "shot_fraction", "class_fraction")
_MANNER = ("engine", "targets", "step_size", "first_order", "options")
_ONE_STEP = {"fgsm", "fgsm-rs", "universal", "torchattacks:FGSM", "torchattacks:FFGSM"}


def strength(threat: Threat) -> int | None:
    """The rank of an attack: each must not be beaten by one of a lower rank.

    0 what does not look at the learner; 1 a single step, one perturbation for all, or first-order
    gradients through adaptation; 2 iterated gradients; 3 ensembles. None for what has no norm ball,
    sees no gradients, or puts in other images (`swap`), whose ball is not around the support set's.

    >>> strength({"eps": 0.1, "knowledge": "white-box", "engine": "apgd"})
    2
    """
    knowledge = threat.get("knowledge")
    if threat.get("eps") is None or knowledge not in ("none", "white-box"):
        return None
    if threat["engine"] == "swap":
        return None
    if knowledge == "none":
        return 0
    if threat["engine"] in ENSEMBLES:
        return 3
    return 1 if threat["engine"] in _ONE_STEP or threat.get("first_order") else 2


def _comparable(threat: Threat, other: Threat) -> bool:
    """Whether another attack may do as much on the same images, and wants no more.

    An attack that approaches a given wrong label may well be beaten by one that takes any.
    """
    wanted = threat.get("targets") or "untargeted"
    return same(threat, other, _BUDGET) and wanted in (other.get("targets"), "untargeted")


def _against(
    cell: CellScores,
    scored: Sequence[CellScores],
    accepts: Callable[[Threat], bool],
    slack: float,
) -> Finding | None:
    others = [
        other
        for other in same_learner(cell, scored)
        if _comparable(threat_of(cell), threat_of(other)) and accepts(threat_of(other))
    ]
    return beaten_by(cell, others, lambda t: f"{t['name']} at the same eps", slack)


def _monotone(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    if threat.get("eps") is None:
        return None
    weaker = [
        other
        for other in same_learner(cell, scored)
        if _without(threat_of(other), "eps") == _without(threat, "eps")
        and float(threat_of(other)["eps"]) < float(threat["eps"])
    ]
    return beaten_by(cell, weaker, lambda t: f"eps {t['eps']:.4g}", BLACK_BOX_SLACK)


def _stronger_wins(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    rank = strength(threat_of(cell))
    if not rank:
        return None

    def weaker(other: Threat) -> bool:
        theirs = strength(other)
        return theirs is not None and theirs < rank

    return _against(cell, scored, weaker, BLACK_BOX_SLACK)


def _joint_wins(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    if threat["surface"] != "both" or threat.get("eps") is None:
        return None

    def half(other: Threat) -> bool:
        efforts = zip(_effort(other), _effort(threat), strict=True)
        return (
            other["surface"] in ("query", "support")
            and same(threat, other, ("engine", "norm", "eps", "targets"))
            and set(other.get("loss") or ()) <= set(threat.get("loss") or ())
            and all(theirs <= ours for theirs, ours in efforts)
        )

    halves = [other for other in same_learner(cell, scored) if half(threat_of(other))]
    return beaten_by(cell, halves, lambda t: f"{t['name']} alone", BLACK_BOX_SLACK)


def _is_transfer(threat: Threat) -> bool:
    return str(threat["engine"]).startswith("transfer")


def _black_box(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    if (strength(threat_of(cell)) or 0) < 2:
        return None
    return _against(
        cell,
        scored,
        lambda other: other.get("knowledge") == "black-box" and not _is_transfer(other),
        BLACK_BOX_SLACK,
    )


def _transfer(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    if (strength(threat_of(cell)) or 0) < 2:
        return None
    return _against(cell, scored, _is_transfer, BLACK_BOX_SLACK)


def _losses_agree(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    mine = _climbs_entropy(threat)
    if mine is None:
        return None

    def other_loss(other: Threat) -> bool:
        theirs = _climbs_entropy(other)
        return theirs is not None and theirs != mine and same(threat, other, ("engine", "steps"))

    return _against(cell, scored, other_loss, LOSS_SLACK)


def _climbs_entropy(threat: Threat) -> bool | None:
    """Whether an attack climbs cross-entropy, if it climbs that alone or something else alone."""
    losses = threat.get("loss")
    if not losses or threat.get("knowledge") != "white-box":
        return None
    if list(losses) == ["cross-entropy"]:
        return True
    return None if "cross-entropy" in losses else False


def _enough_steps(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    if not threat.get("steps") or not strength(threat):
        return None

    def longer(other: Threat) -> bool:
        if not same(threat, other, (*_BUDGET, *_MANNER, "loss")):
            return False
        ours, theirs = _effort(threat), _effort(other)
        return theirs != ours and all(b >= a for a, b in zip(ours, theirs, strict=True))

    others = [other for other in same_learner(cell, scored) if longer(threat_of(other))]
    return beaten_by(cell, others, lambda t: f"{t['label']}", STEPS_SLACK)


def _effort(threat: Threat) -> tuple[int, int]:
    return int(threat.get("steps") or 0), int(threat.get("restarts") or 1)


_WAYS_NEEDED = {"dlr": 3, "targeted-dlr": 4, "dlr-targeted": 4}


def _enough_ways(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    losses = [*(threat.get("loss") or ()), (threat.get("options") or {}).get("loss")]
    needed = max((_WAYS_NEEDED.get(str(loss), 0) for loss in losses), default=0)
    if not needed:
        return None
    ways = cell.evidence.arrays["logits"].shape[-1]
    return Finding(
        ways >= needed, f"{ways} ways, {needed} needed; guessing is right {1 / ways:.1%} of times"
    )


def _without(threat: Threat, *keys: str) -> Threat:
    return {k: v for k, v in threat.items() if k not in (*keys, "label", "summary")}


STRENGTH = (
    Check(
        id="R12",
        name="monotone in eps",
        looks_at="accuracy of the same attack at every smaller eps, paired by episode",
        formula="d = accuracy(eps) - accuracy(smaller eps)",
        threshold="d <= 0.2 points, or its 95 % interval reaches 0",
        advice="a larger budget must not help the learner: gradients are masked or steps too few",
        judge=_monotone,
    ),
    Check(
        id="R12s",
        name="more steps find no more",
        looks_at="the same attack with more steps or restarts, paired by episode",
        formula="d = accuracy(fewer) - accuracy(more)",
        threshold="d <= 1 point, or its 95 % interval reaches 0",
        advice="not converged: quote the longer attack",
        judge=_enough_steps,
    ),
    Check(
        id="R10n",
        name="no weaker attack does more",
        looks_at="accuracy at the same budget under noise, single-step and iterated attacks",
        formula="d = accuracy(this) - accuracy(weaker): noise < FGSM, universal, first-order < "
        "iterated gradients < ensembles",
        threshold="d <= 0.2 points, or its 95 % interval reaches 0",
        advice="the stronger attack misses what the weaker finds: gradients are masked, or steps "
        "too few or long",
        judge=_stronger_wins,
    ),
    Check(
        id="R10j",
        name="both surfaces do more than one",
        looks_at="accuracy at the same budget under the same attack on one surface alone",
        formula="d = accuracy(both) - accuracy(one alone)",
        threshold="d <= 0.2 points, or its 95 % interval reaches 0",
        advice="the second attack is lost on the poisoned learner: its gradients are masked",
        judge=_joint_wins,
    ),
    Check(
        id="R10",
        name="no black box does more",
        looks_at="accuracy at the same budget under attacks that see outputs alone",
        formula="d = accuracy(white-box) - accuracy(black-box)",
        threshold="d <= 0.2 points, or its 95 % interval reaches 0",
        advice="gradients mislead the attack: quote the black-box number, or their worst case",
        judge=_black_box,
    ),
    Check(
        id="R16",
        name="no transfer does more",
        looks_at="accuracy at the same budget under images made against another learner",
        formula="d = accuracy(white-box) - accuracy(transfer)",
        threshold="d <= 0.2 points, or its 95 % interval reaches 0",
        advice="the learner's own gradients are worse than a stranger's: they are masked",
        judge=_transfer,
    ),
    Check(
        id="R9",
        name="losses agree",
        looks_at="the same engine and steps climbing cross-entropy, and another loss",
        formula="d = accuracy(this loss) - accuracy(the other)",
        threshold="d <= 2 points, or its 95 % interval reaches 0",
        advice="this loss is the wrong one for this learner: quote the other, or their worst case",
        judge=_losses_agree,
    ),
    Check(
        id="R14",
        name="enough ways for the loss",
        looks_at="the number of ways; the losses of the recipe and of its options",
        formula="DLR needs 3 ways, targeted DLR 4",
        threshold="as many or more",
        advice="use the margin with so few ways",
        judge=_enough_ways,
    ),
)
