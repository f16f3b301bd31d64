"""Sanity checks: may the attack behind a number be believed? Computed from the evidence alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metarobust.audit.scores import CellScores

BUDGET_SLACK = 1e-5
ZERO_BUDGET_TOLERANCE = 0.0
ZERO_GRADIENT_SHARE = 0.01


@dataclass(frozen=True)
class CheckResult:
    """The result of one check on one cell.

    Attributes:
        name: the check.
        passed: whether the evidence is as it should be.
        detail: the numbers it looked at, in words.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """What a reader must know before believing a cell.

    Attributes:
        status: `ok`; `suspect` when a check failed; `incomplete` when episodes are missing; `error`
            when there is no evidence at all.
        checks: every check that applies to the cell.
    """

    status: str
    checks: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)


def check_cells(scored: Sequence[CellScores]) -> dict[str, Verdict]:
    """The verdict of every cell, by cell key."""
    verdicts = {}
    for cell in scored:
        results = tuple(_results(cell, scored)) if cell.evidence.episodes else ()
        verdicts[cell.evidence.key] = Verdict(_status(cell, results), results)
    return verdicts


def _status(cell: CellScores, results: Iterable[CheckResult]) -> str:
    if cell.evidence.episodes == 0:
        return "error" if cell.evidence.failures else "incomplete"
    if any(not result.passed for result in results):
        return "suspect"
    if cell.evidence.failures or cell.evidence.episodes < cell.evidence.expected:
        return "error" if cell.evidence.failures else "incomplete"
    return "ok"


def _results(cell: CellScores, scored: Sequence[CellScores]) -> Iterable[CheckResult]:
    for check in CHECKS:
        result = check(cell, scored)
        if result is not None:
            yield result


def within_budget(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """No image was perturbed by more than eps (relative slack 1e-5, for rounding)."""
    threat = _threat(cell)
    if threat.get("norm") is None:
        return None
    eps, used = float(threat["eps"]), float(cell.evidence.arrays["budget_used"].max())
    return CheckResult(
        "budget respected",
        used <= eps * (1 + BUDGET_SLACK) + 1e-6,
        f"largest {threat['norm']} perturbation {used:.6g}, budget {eps:.6g}",
    )


def zero_budget_is_identity(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """The same threat with a budget of zero gives the clean logits, bit for bit."""
    difference = cell.evidence.extras.get("zero_budget_difference")
    if difference is None:
        return None
    return CheckResult(
        "zero budget is the identity",
        difference <= ZERO_BUDGET_TOLERANCE,
        f"largest change of a logit at budget zero {difference:.3g}",
    )


def did_something(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """A threat with a budget changed at least one image or label."""
    if _threat(cell)["family"] == "clean" or _threat(cell).get("eps") == 0:
        return None
    changed = float(cell.evidence.arrays["changed"].mean())
    return CheckResult(
        "the threat changed something", changed > 0, f"changed {changed:.1%} of what it may touch"
    )


def gradients_alive(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """Hardly any gradient was zero on a whole image: the sign of saturation and masking."""
    if not cell.evidence.arrays["gradient_calls"].any():
        return None
    share = float(cell.evidence.arrays["zero_gradients"].mean())
    return CheckResult(
        "gradients alive",
        share <= ZERO_GRADIENT_SHARE,
        f"{share:.2%} of gradients were zero on a whole image, allowed {ZERO_GRADIENT_SHARE:.0%}",
    )


def loss_rises(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """A gradient attack with a budget found a larger loss than the clean point's."""
    if not cell.evidence.arrays["gradient_calls"].any() or _threat(cell).get("eps") == 0:
        return None
    start = float(cell.evidence.arrays["objective_start"].mean())
    end = float(cell.evidence.arrays["objective_end"].mean())
    return CheckResult("loss rises", end > start, f"attack loss {start:.3g} -> {end:.3g}")


def monotone_in_eps(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """Accuracy is no higher than at any smaller eps of the same attack, up to the intervals."""
    threat = _threat(cell)
    if threat.get("eps") is None:
        return None
    weaker = [
        other
        for other in _same_learner(cell, scored)
        if _without(_threat(other), "eps") == _without(threat, "eps")
        and float(_threat(other)["eps"]) < float(threat["eps"])
    ]
    return _no_higher_than("monotone in eps", cell, weaker, lambda t: f"eps {t['eps']:.4g}")


# From the weakest to the strongest: each must not be beaten by any before it.
_STRENGTH = {"noise": 0, "fgsm": 1, "fgsm-rs": 1, "pgd": 2}
_SAME_BUDGET = ("surface", "norm", "eps", "shot_fraction", "class_fraction")


def stronger_attacks_win(cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
    """Noise >= FGSM >= PGD in accuracy, up to the intervals, where both may do as much.

    That is, at equal norm and eps, on the same images, and towards the same targets: an attack that
    wants a certain wrong label may well be beaten by one that takes any.
    """
    threat = _threat(cell)
    rank = _STRENGTH.get(threat["engine"])
    if rank is None or rank == 0:
        return None
    weaker = [
        other
        for other in _same_learner(cell, scored)
        if _STRENGTH.get(_threat(other)["engine"], rank) < rank
        and _same(_threat(other), threat, _SAME_BUDGET)
        and threat.get("targets") in (_threat(other).get("targets"), "untargeted")
    ]
    return _no_higher_than(
        "no weaker attack does more", cell, weaker, lambda t: f"{t['name']} at the same eps"
    )


CHECKS: tuple[Callable[[CellScores, Sequence[CellScores]], CheckResult | None], ...] = (
    within_budget,
    zero_budget_is_identity,
    did_something,
    gradients_alive,
    loss_rises,
    monotone_in_eps,
    stronger_attacks_win,
)


def _no_higher_than(
    name: str,
    cell: CellScores,
    others: Sequence[CellScores],
    describe: Callable[[dict[str, Any]], str],
) -> CheckResult | None:
    """Whether a cell's accuracy interval reaches down to each of the others' intervals."""
    mine = cell.scores["accuracy"]
    compared = [other for other in others if other.scores["accuracy"].value is not None]
    if mine.value is None or not compared:
        return None
    worst = min(compared, key=lambda other: other.scores["accuracy"].value or 0.0)
    theirs = worst.scores["accuracy"]
    low = mine.value if mine.low is None else mine.low
    high = theirs.value if theirs.high is None else theirs.high
    return CheckResult(
        name,
        high is None or low <= high,
        f"accuracy {mine.value:.3f} against {theirs.value:.3f} for {describe(_threat(worst))}",
    )


def _threat(cell: CellScores) -> dict[str, Any]:
    threat: dict[str, Any] = cell.evidence.description["threat"]
    return threat


def _same_learner(cell: CellScores, scored: Sequence[CellScores]) -> Iterable[CellScores]:
    label = cell.evidence.description["learner"]["label"]
    return (
        other
        for other in scored
        if other is not cell
        and other.evidence.description["learner"]["label"] == label
        and other.evidence.episodes
    )


def _without(threat: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {k: v for k, v in threat.items() if k not in (*keys, "label", "summary")}


def _same(one: dict[str, Any], other: dict[str, Any], keys: Iterable[str]) -> bool:
    return all(one.get(key) == other.get(key) for key in keys)
