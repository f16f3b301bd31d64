"""Checks that a search had gradients to follow, climbed along them, and came to an end."""

from collections.abc import Sequence

from metarobust.audit.check import (
    ENSEMBLES,
    Check,
    Finding,
    chooses,
    has_gradients,
    probe,
    threat_of,
)
from metarobust.audit.scores import CellScores

ZERO_GRADIENT_SHARE = 0.01
LATE_IMPROVEMENT = 0.2
RESTART_SPREAD = 0.5

_FLAT_BEYOND = {"dlr", "targeted-dlr"}
"""Losses that are constant where the true label ranks third, long after success."""


def _gradients_alive(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    losses = set(threat_of(cell).get("loss") or ("cross-entropy",))
    if not has_gradients(cell) or losses <= _FLAT_BEYOND:
        return None
    share = float(cell.evidence.arrays["zero_gradients"].mean())
    return Finding(
        share <= ZERO_GRADIENT_SHARE,
        f"{share:.2%} of gradients were zero on a whole image, allowed {ZERO_GRADIENT_SHARE:.0%}",
    )


def _first_gradients(cell: CellScores, scored: Sequence[CellScores], loss: str) -> Finding | None:
    if not has_gradients(cell) or threat_of(cell)["surface"] != "query":
        return None
    clean, start = (
        probe(cell, scored, f"zero_{loss}_gradients_{where}") for where in ("clean", "start")
    )
    if clean is None or start is None:
        return None
    return Finding(
        clean == start == 0,
        f"{clean:.1%} of queries have no {loss.replace('_', '-')} gradient at the clean point, "
        f"{start:.1%} at a random start",
    )


def _margin_gradients(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    return _first_gradients(cell, scored, "margin")


def _entropy_gradients(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    if threat_of(cell).get("loss") != ["cross-entropy"]:
        return None
    return _first_gradients(cell, scored, "cross_entropy")


def _loss_rises(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    found = chooses(cell) and cell.evidence.arrays["changed"].any()
    if not has_gradients(cell) and not found:
        return None
    start = float(cell.evidence.arrays["objective_start"].mean())
    end = float(cell.evidence.arrays["objective_end"].mean())
    return Finding(end > start, f"attack loss {start:.3g} -> {end:.3g}")


def _recorded(cell: CellScores, name: str) -> float | None:
    """The mean over the episodes that recorded something."""
    values = cell.evidence.arrays.get(name)
    if values is None or threat_of(cell).get("eps") == 0 or not (values >= 0).any():
        return None
    return float(values[values >= 0].mean())


def _converged(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    late = _recorded(cell, "late_improvement")
    if late is None or threat_of(cell)["engine"] in ENSEMBLES:
        return None
    return Finding(
        late <= LATE_IMPROVEMENT,
        f"the last steps brought {late:.1%} of the climb, allowed {LATE_IMPROVEMENT:.0%}",
    )


def _restarts_agree(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    spread = _recorded(cell, "restart_spread")
    if spread is None:
        return None
    return Finding(
        spread <= RESTART_SPREAD,
        f"restarts end {spread:.1%} of the climb apart, allowed {RESTART_SPREAD:.0%}",
    )


def _no_silent_success(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    share = _recorded(cell, "silent_success")
    if share is None:
        return None
    return Finding(
        share == 0, f"{share:.2%} of queries were wrong on the way and right at the point returned"
    )


GRADIENT = (
    Check(
        id="R7",
        name="gradients alive",
        looks_at="zero_gradients",
        formula="mean share of gradients that were exactly zero on a whole image",
        threshold="at most 1 %; not asked where DLR alone is climbed, which is flat after success",
        advice="gradients are masked: attack with a margin loss, or with square or rays",
        judge=_gradients_alive,
        of_classes=False,
    ),
    Check(
        id="R7m",
        name="margin gradients at the start",
        looks_at="gradients of the margin of each query of the first episode",
        formula="share of queries with sum |g| = 0, at the clean point and at a random start",
        threshold="0",
        advice="no gradient reaches the queries: attack with square or rays",
        judge=_margin_gradients,
    ),
    Check(
        id="R7c",
        name="cross-entropy gradients at the start",
        looks_at="the same of the cross-entropy, for attacks that climb nothing else",
        formula="share of queries with sum |g| = 0, at the clean point and at a random start",
        threshold="0",
        advice="the softmax is saturated: add the margin to the losses",
        judge=_entropy_gradients,
    ),
    Check(
        id="R13r",
        name="loss rises",
        looks_at="objective_start, objective_end",
        formula="largest mean loss along the path less that at the clean point",
        threshold="above 0; asked of searches without gradients too, where they changed something",
        advice="the attack climbs nothing: its gradient points nowhere",
        judge=_loss_rises,
        of_classes=False,
    ),
    Check(
        id="R13",
        name="loss converged",
        looks_at="late_improvement, from the loss path of the first search",
        formula="(E - B) / (E - min l) over queries still right: E the largest loss, B the "
        "largest w steps before every restart's end, w = min(10, half of the steps)",
        threshold="mean at most 20 %; at least 4 steps; not asked of ensembles, whose first search "
        "is not their last",
        advice="the loss was still rising: more steps, or another step size",
        judge=_converged,
    ),
    Check(
        id="R13s",
        name="no silent success",
        looks_at="silent_success, from the loss path of the first search",
        formula="share of queries whose loss said wrong on the way and that came back right",
        threshold="0",
        advice="the engine forgets its successes: return the worst point seen",
        judge=_no_silent_success,
    ),
    Check(
        id="R13a",
        name="restarts agree",
        looks_at="restart_spread, from the loss path of the first search",
        formula="(largest - least of the restarts' largest losses) / (E - min l), queries still "
        "right",
        threshold="mean at most 50 %",
        advice="the outcome depends on the start: more restarts",
        judge=_restarts_agree,
    ),
)
