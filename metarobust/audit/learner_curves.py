"""The whole curve of accuracy against the strength of a threat, in one number."""

from collections.abc import Mapping, Sequence

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.grids import first_clean, shared_accuracies, strength_grids
from metarobust.audit.learner_measure import LearnerScore
from metarobust.audit.measure import FloatArray
from metarobust.metrics.curves import curve_area, half_accuracy_budget
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import t_interval
from metarobust.stats.resamples import EpisodeResamples

AREA_KEYS: Mapping[str, str] = {
    "eps": "eps_area",
    "severity": "severity_area",
    "fraction": "fraction_area",
}


def score_curves(label: str, cells: Sequence[CellEvidence], seed: int) -> list[LearnerScore]:
    """The area under each curve of at least two strengths, clean accuracy at 0.

    Args:
        label: label of the learner.
        cells: its cells.
        seed: of the resamples.
    """
    clean = first_clean(cells)
    found = []
    for (strength, _), grid in strength_grids(cells).items():
        levels = [float(cell.threat[strength]) for cell in grid]
        if clean is None or len(levels) < 2 or min(np.diff([0.0, *levels])) <= 0:
            continue
        words = grid[0].threat["label"].split()
        of = " ".join(word for word in words if not word.startswith(f"{strength}="))
        keys = [AREA_KEYS[strength], *(["half_eps"] if strength == "eps" else [])]
        estimates = _curve(np.array([0.0, *levels]), [clean, *grid], seed)
        found += [LearnerScore(label, key, of, estimates[key != "half_eps"]) for key in keys]
    return found


def _curve(
    budgets: FloatArray, cells: Sequence[CellEvidence], seed: int
) -> tuple[Estimate, Estimate]:
    """The budget that halves the accuracy, and the area."""
    try:
        heights = shared_accuracies(cells)
    except ValueError as problem:
        return (Estimate(None, reason=str(problem)),) * 2
    area = t_interval(curve_area(budgets, heights), bounds=(0.0, 1.0))
    resamples = EpisodeResamples.draw(len(heights), np.random.default_rng(seed))
    curves = resamples.weights @ heights / len(heights)
    halves = [half_accuracy_budget(budgets, curve) if curve[0] > 0 else 0.0 for curve in curves]
    reason = f"the largest tried, {budgets[-1]:.4g}, leaves more than half of the clean accuracy"
    return resamples.estimate(np.array(halves), bounds=(0.0, np.inf), undefined=reason), area
