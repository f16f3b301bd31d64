"""Checks of what attacks presume of a learner, measured once by the probes of its clean cell."""

import math
from collections.abc import Sequence

from metarobust.audit.check import (
    Check,
    Finding,
    clean_cell,
    has_gradients,
    probe,
    threat_of,
)
from metarobust.audit.scores import CellScores

SAME_DIRECTION = 1e-4
SAME_ALONE = 1e-4
SATURATED_SHARE = 0.05
GRADIENT_ERROR = 0.2


def _deterministic(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    spread = probe(cell, scored, "repeat_spread")
    if spread is None or cell.evidence.description["learner"].get("stochastic"):
        return None
    counts = probe(cell, scored, "repeat_count_change") or 0.0
    return Finding(
        spread <= SAME_DIRECTION and counts == 0,
        f"five repetitions: directions of the logits differ by {spread:.3g}, correct answers by "
        f"{counts:.0f}",
    )


def _independent(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    effect = probe(cell, scored, "neighbour_effect")
    if effect is None or cell.evidence.description["learner"].get("norm_mode") == "batch":
        return None
    return Finding(
        effect <= SAME_ALONE, f"a query's logits move by {effect:.3g} when it is asked alone"
    )


def _logits(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    found = probe(cell, scored, "probability_like")
    if found is None or not has_gradients(cell):
        return None
    shape = "probabilities" if found else "not probabilities"
    return Finding(found == 0, f"the outputs of {100 * found:.0f}% of probes are {shape}")


def _unsaturated(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    share = probe(cell, scored, "saturated_share")
    if share is None or not has_gradients(cell):
        return None
    return Finding(
        share <= SATURATED_SHARE,
        f"{share:.1%} of clean queries have a scaled margin above 16.6, where cross-entropy is flat"
        " in float32",
    )


def _true_gradients(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    error = probe(cell, scored, "gradient_error")
    if error is None or not has_gradients(cell) or threat_of(cell)["surface"] != "query":
        return None
    return Finding(
        error <= GRADIENT_ERROR,
        f"the loss rises {error:.1%} less or more than its gradient says (median)",
    )


def _unbounded_works(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    left, clean = probe(cell, scored, "unbounded_accuracy"), clean_cell(cell, scored)
    applies = has_gradients(cell) and threat_of(cell)["surface"] == "query"
    if left is None or clean is None or not applies:
        return None
    _, queries, ways = clean.evidence.arrays["logits"].shape
    limit = 1 / ways + 2 * math.sqrt((1 / ways) * (1 - 1 / ways) / queries)
    return Finding(
        left <= limit, f"accuracy {left:.3f} when every pixel is free, at most {limit:.3f} expected"
    )


def _support_gradient(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    size = probe(cell, scored, "support_gradient")
    threat = threat_of(cell)
    if size is None or not has_gradients(cell) or threat["surface"] == "query":
        return None
    if threat["engine"] == "swap":
        return None
    dead = float((cell.evidence.arrays["zero_gradients"] >= 1).mean())
    return Finding(
        size > 0 and dead == 0,
        f"sum of |d loss / d support| {size:.3g} at the clean point, all gradients zero in "
        f"{dead:.1%} of episodes",
    )


def _stochastic_averaged(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    random = cell.evidence.description["learner"].get("stochastic")
    if not random or not has_gradients(cell):
        return None
    threat = threat_of(cell)
    averages = "eot" in f"{threat['engine']} {threat['name']}".lower()
    said = "averages" if averages else "does not average"
    return Finding(averages, f"the learner is random and engine {threat['engine']} {said} over it")


LEARNER = (
    Check(
        id="R3",
        name="deterministic",
        looks_at="five adaptations and classifications of the first episode",
        formula="max over pairs and queries of ||f_a/||f_a|| - f_b/||f_b|| ||_2; range of hits",
        threshold="at most 1e-4, and 0; not asked of learners declared stochastic",
        advice="declare the learner stochastic, and attack it with expectation over transformation",
        judge=_deterministic,
    ),
    Check(
        id="R3s",
        name="randomness averaged",
        looks_at="the learner's declaration and the engine's name",
        formula="a gradient attack on a learner declared stochastic averages gradients (EOT)",
        threshold="it does",
        advice="one noisy gradient is a weak attack: use an EOT engine",
        judge=_stochastic_averaged,
    ),
    Check(
        id="R4",
        name="queries independent",
        looks_at="three queries of the first episode, asked together and alone",
        formula="max |f(X)_q - f({x_q})| / (1 + max |f|)",
        threshold="at most 1e-4; not asked under norm_mode batch, whose queries are one unit",
        advice="queries see each other: use norm_mode batch, so that they are attacked together",
        judge=_independent,
        of_classes=False,
    ),
    Check(
        id="R5",
        name="logits, not probabilities",
        looks_at="outputs for the clean queries of the first episode",
        formula="all in [-1e-5, 1 + 1e-5], and every row sums to 1 within 1e-5",
        threshold="not so",
        advice="a softmax on top of probabilities flattens gradients: return their logarithm",
        judge=_logits,
    ),
    Check(
        id="R6",
        name="logits not saturated",
        looks_at="clean logits of the first episode, divided by the learner's logit scale",
        formula="s = share of queries with z_1 - z_2 > 24 ln 2 = 16.6",
        threshold="s <= 5 %",
        advice="cross-entropy has no gradient there: trust attacks with a margin or DLR loss only",
        judge=_unsaturated,
    ),
    Check(
        id="R8",
        name="gradients true",
        looks_at="central differences of the cross-entropy at a random start, in float64",
        formula="median |(L(x + h s) - L(x - h s)) / (2 h ||g||_1) - 1|, s = sign g, h = 1e-6",
        threshold="at most 0.2",
        advice="the gradient is not that of the function: look for rounding or a straight-through "
        "head, and attack with square or rays",
        judge=_true_gradients,
    ),
    Check(
        id="R11",
        name="unbounded attack succeeds",
        looks_at="PGD of up to 100 steps on the first episode, every pixel free in [0, 1]",
        formula="accuracy",
        threshold="at most 1/N + 2 sqrt((1/N)(1 - 1/N) / Q)",
        advice="an attack without a bound must succeed: gradients are masked, so attack with "
        "square, rays or transfer",
        judge=_unbounded_works,
    ),
    Check(
        id="R15",
        name="support gradient alive",
        looks_at="d(query loss) / d(support images) through adaptation; zero_gradients",
        formula="sum |g| at the clean point; episodes in which every gradient was zero",
        threshold="above 0, and none",
        advice="adaptation detaches its support images: poison with a black-box engine",
        judge=_support_gradient,
    ),
)
"""R3, R4 judge clean cells too; the others only what relies on a gradient."""
