"""Whether the confidence of a cell's answers means what it says."""

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import (
    BoolArray,
    FloatArray,
    Measure,
    ScoreFamily,
    ScoringContext,
    finite_logits,
    mean_score,
)
from metarobust.metrics import calibration
from metarobust.metrics.classwise import classwise_ece
from metarobust.metrics.smooth import smooth_ece
from metarobust.stats.bootstrap import ece_interval
from metarobust.stats.estimate import Estimate
from metarobust.stats.montecarlo import monte_carlo_p_value
from metarobust.stats.resamples import EpisodeResamples

ECE = Measure(
    "ece",
    "ECE",
    "share",
    False,
    "Expected calibration error: the mean gap between stated confidence and accuracy, "
    "in bins of equal mass, pooled over episodes.",
)
ECE_NULL = Measure(
    "ece_null",
    "Null ECE",
    "share",
    False,
    "The calibration error that a perfectly calibrated learner would show by chance alone.",
)
ECE_P_VALUE = Measure(
    "ece_p_value",
    "Calibration p-value",
    "number",
    True,
    "How often a perfectly calibrated learner would show an ECE this large.",
    counted_in="a probability",
    has_interval=False,
)
ECE_WIDTH = Measure(
    "ece_width", "ECE, equal width", "share", False, "The ECE in 15 bins of equal width."
)
ECE_MARGINAL = Measure(
    "ece_marginal",
    "Marginal ECE",
    "share",
    False,
    "The gap of all N probabilities of a query, not of the predicted class's alone; most are near "
    "0, so it is far smaller than the ECE.",
)
ECE_CLASSWISE = Measure(
    "ece_classwise",
    "Classwise ECE",
    "share",
    False,
    "The gap of each class's own probability, averaged over the classes.",
    has_interval=False,
)
ECE_DEBIASED = Measure(
    "ece_debiased",
    "Debiased squared CE",
    "number",
    False,
    "Squared calibration error less what few queries add to it; below 0 means none was found.",
    bounds=(-1.0, 1.0),
    counted_in="a squared share",
)
ECE_SMOOTH = Measure(
    "ece_smooth",
    "Smooth ECE",
    "share",
    False,
    "A calibration error without bins.",
    has_interval=False,
)
MCE = Measure(
    "mce",
    "MCE",
    "share",
    False,
    "The largest gap in a bin of at least 30 queries.",
    has_interval=False,
)

FEW_PER_CLASS = "no interval: a class has few queries, and resamples of them err further still"
NOT_RESAMPLED = "no interval: resampling it costs more than every other score; see that of the ECE"
A_MAXIMUM = "no interval: resamples of the largest of several gaps lie above it"
A_TEST = "a p-value has no interval"


def confidence_gaps(cell: CellEvidence) -> FloatArray:
    """Mean confidence less accuracy of each evaluated episode, [E].

    Raises:
        ValueError: some logits are not finite.
    """
    return calibration.signed_gap(calibration.confidence(finite_logits(cell)), cell.correct)


OVERCONFIDENCE = Measure(
    "overconfidence",
    "Overconfidence",
    "share",
    False,
    "Mean confidence less accuracy; below 0 where the learner is too modest.",
    bounds=(-1.0, 1.0),
    episodes=confidence_gaps,
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    labels, right = cell.arrays["labels"], cell.correct
    shares = calibration.probabilities(cell.arrays["logits"])
    claimed = shares.max(axis=-1)
    queries = claimed.shape[1]
    edges, widths = calibration.mass_edges(claimed), calibration.width_edges()
    rng = context.rng
    null = calibration.null_ece(claimed, edges, rng)
    low, high = np.quantile(null, [0.025, 0.975])
    ece = ece_interval(calibration.episode_gaps(claimed, right, edges), queries, null, rng=rng)
    by_width = calibration.episode_gaps(claimed, right, widths)
    truth = labels[..., None] == np.arange(shares.shape[-1])
    every = calibration.mass_edges(shares)
    flat, came = shares.reshape(len(shares), -1), truth.reshape(len(shares), -1)
    return {
        ECE.key: ece,
        ECE_NULL.key: Estimate(
            float(null.mean()),
            float(low),
            float(high),
            method=f"mean and central 95 % of {null.size} draws of calibrated outcomes",
        ),
        ECE_P_VALUE.key: Estimate(monte_carlo_p_value(ece.value or 0.0, null), reason=A_TEST),
        ECE_WIDTH.key: ece_interval(
            by_width, queries, calibration.null_ece(claimed, widths, context.rng), rng=context.rng
        ),
        ECE_MARGINAL.key: ece_interval(
            calibration.episode_gaps(flat, came, every),
            flat.shape[1],
            calibration.null_ece(flat, every, context.rng, resamples=100),
            rng=context.rng,
        ),
        ECE_CLASSWISE.key: Estimate(
            classwise_ece(shares, labels, cell.arrays["class_ids"], widths).average,
            reason=FEW_PER_CLASS,
        ),
        ECE_DEBIASED.key: _debiased(claimed, right, edges, context),
        ECE_SMOOTH.key: Estimate(smooth_ece(claimed, right), reason=NOT_RESAMPLED),
        MCE.key: _largest(calibration.reliability_bins(claimed, right, edges)),
        OVERCONFIDENCE.key: mean_score(OVERCONFIDENCE, cell),
    }


def _largest(bins: calibration.Bins) -> Estimate:
    try:
        return Estimate(calibration.mce(bins), reason=A_MAXIMUM)
    except ValueError as problem:
        return Estimate(None, reason=str(problem))


def _debiased(
    claimed: FloatArray, right: BoolArray, edges: FloatArray, context: ScoringContext
) -> Estimate:
    place = np.searchsorted(edges, claimed, side="left")
    member = place[..., None] == np.arange(len(edges) + 1)
    facts = np.stack([np.ones_like(claimed), claimed, right.astype(np.float64)])
    sums = np.einsum("keq,eqb->ebk", facts, member)
    resamples = EpisodeResamples.draw(len(claimed), context.rng)
    totals = np.einsum("re,ebk->rbk", resamples.weights, sums)
    values = [calibration.debiased_square(_bins(total)) for total in totals]
    return resamples.estimate(np.array(values), bounds=ECE_DEBIASED.bounds)


def _bins(totals: FloatArray) -> calibration.Bins:
    full = totals[totals[:, 0] > 0]
    return calibration.Bins(
        full[:, 0].astype(int), full[:, 1] / full[:, 0], full[:, 2] / full[:, 0]
    )


CALIBRATION_FAMILY = ScoreFamily(
    (
        ECE,
        ECE_NULL,
        ECE_P_VALUE,
        ECE_WIDTH,
        ECE_MARGINAL,
        ECE_CLASSWISE,
        ECE_DEBIASED,
        ECE_SMOOTH,
        MCE,
        OVERCONFIDENCE,
    ),
    _score,
    of_confidence=True,
)
