"""The scores of a cell, each with its interval by episode, recomputed from stored logits."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    Measure,
    ScoreFamily,
    ScoringContext,
    finite_logits,
    missing,
)
from metarobust.audit.regression_scores import (
    NOT_CLASSIFICATION,
    REGRESSION_MEASURES,
    is_regression,
    regression_scores,
)
from metarobust.audit.score_accuracy import ACCURACY_FAMILY
from metarobust.audit.score_against_clean import AGAINST_CLEAN_FAMILY
from metarobust.audit.score_backdoor import BACKDOOR_FAMILY
from metarobust.audit.score_calibration import CALIBRATION_FAMILY
from metarobust.audit.score_classes import CLASSES_FAMILY
from metarobust.audit.score_conformal import CONFORMAL_FAMILY
from metarobust.audit.score_explanation import EXPLANATION_FAMILY
from metarobust.audit.score_ood import OOD_FAMILY
from metarobust.audit.score_proper import PROPER_FAMILY
from metarobust.audit.score_selective import SELECTIVE_FAMILY
from metarobust.metrics import calibration
from metarobust.stats.estimate import Estimate

FAMILIES: tuple[ScoreFamily, ...] = (
    ACCURACY_FAMILY,
    AGAINST_CLEAN_FAMILY,
    CALIBRATION_FAMILY,
    PROPER_FAMILY,
    SELECTIVE_FAMILY,
    CONFORMAL_FAMILY,
    OOD_FAMILY,
    EXPLANATION_FAMILY,
    CLASSES_FAMILY,
    BACKDOOR_FAMILY,
)
"""Every family of cell scores: a further one is a module with a `ScoreFamily`, and a line here."""

MEASURES: tuple[Measure, ...] = tuple(m for family in FAMILIES for m in family.measures)
MEASURE_BY_KEY: dict[str, Measure] = {measure.key: measure for measure in MEASURES}
SCORES: tuple[str, ...] = tuple(MEASURE_BY_KEY)


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of a reliability diagram.

    Attributes:
        confidence: mean confidence of the bin's queries, in [0, 1].
        accuracy: their share of correct answers, in [0, 1].
        count: how many queries the bin holds, at least 1.
    """

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class CellScores:
    """What a cell's evidence says.

    Attributes:
        evidence: what was scored.
        scores: an `Estimate` for every name of `SCORES`, and in a regression of
            `REGRESSION_MEASURES`, in the unit of its `Measure`; one that cannot be had says why.
        reliability: bins of equal mass, in order of confidence; empty where there is no `ece`.
    """

    evidence: CellEvidence
    scores: dict[str, Estimate]
    reliability: tuple[ReliabilityBin, ...]


def score_cells(
    cells: Sequence[CellEvidence], *, seed: int = 0, sequential: bool = False
) -> list[CellScores]:
    """Score cells, each paired with its learner's clean cell on the episodes that both have.

    A query whose logits are not all finite was not answered: it counts as an error, and leaves
    the cell without scores of confidence. The resamples come from `seed` alone, so a cell's
    numbers depend neither on its company nor on its place.

    Args:
        cells: the cells of one run, finished or not.
        seed: seed of the bootstrap and of the null ECE, at least 0.
        sequential: whether accuracy decided how many episodes there are; its intervals then allow
            for that.

    Returns:
        One entry per cell, in the order given.
    """
    clean: dict[str, CellEvidence] = {}
    for cell in cells:
        if cell.description["threat"]["family"] == "clean":
            clean.setdefault(cell.description["learner"]["label"], cell)
    context = ScoringContext(seed, sequential)
    return [
        _score(cell, clean.get(cell.description["learner"]["label"]), context) for cell in cells
    ]


def _score(cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext) -> CellScores:
    if not cell.episodes:
        why = ": ".join(("no episode was evaluated", *cell.failures[:1]))
        own = REGRESSION_MEASURES if is_regression(cell) else ()
        return CellScores(cell, missing((*MEASURES, *own), why), ())
    if is_regression(cell):
        absent = missing(MEASURES, NOT_CLASSIFICATION)
        return CellScores(cell, {**absent, **regression_scores(cell, clean)}, ())
    try:
        finite_logits(cell)
        unusable = ""
    except ValueError as problem:
        unusable = str(problem)
    scores: dict[str, Estimate] = {}
    for family in FAMILIES:
        if family.of_confidence and unusable:
            scores |= missing(family.measures, unusable)
        else:
            scores |= family.score(cell, clean, context)
    return CellScores(cell, scores, () if unusable else _reliability(cell))


def _reliability(cell: CellEvidence) -> tuple[ReliabilityBin, ...]:
    claimed = calibration.confidence(cell.arrays["logits"])
    bins = calibration.reliability_bins(claimed, cell.correct, calibration.mass_edges(claimed))
    points = zip(bins.confidence, bins.accuracy, bins.count, strict=True)
    return tuple(ReliabilityBin(float(c), float(a), int(n)) for c, a, n in points)
