"""Whether a learner knows which of its answers to trust: risk against coverage, failures found."""

from dataclasses import replace

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import Measure, ScoreFamily, ScoringContext
from metarobust.metrics.reweighted import reweighted
from metarobust.metrics.selective import log_odds
from metarobust.metrics.separation import episode_failure_auroc
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import t_interval
from metarobust.stats.resamples import EpisodeResamples

ONE_KIND = "every answer is right, or every answer is wrong: there is nothing to tell apart"

AURC = Measure(
    "aurc",
    "AURC",
    "share",
    False,
    "Mean error rate of the most confident answers, over all shares of queries answered.",
)
AUGRC = Measure(
    "augrc",
    "AUGRC",
    "share",
    False,
    "Mean chance that a query is answered, and wrongly, over all shares of queries answered.",
    bounds=(0.0, 0.5),
)
FAILURE_AUROC = Measure(
    "failure_auroc",
    "Failure AUROC",
    "share",
    True,
    "How often a right answer is more confident than a wrong one; half is guessing.",
)
FAILURE_AUROC_WITHIN = Measure(
    "failure_auroc_within",
    "Failure AUROC within",
    "share",
    True,
    "The same within one episode, the mean over the episodes that have right and wrong answers.",
)


def _score(
    cell: CellEvidence, clean: CellEvidence | None, context: ScoringContext
) -> dict[str, Estimate]:
    sureness, right = log_odds(cell.arrays["logits"]), cell.correct
    resamples = EpisodeResamples.draw(len(right), context.rng)
    areas = reweighted(sureness, right, resamples.weights)
    return {
        AURC.key: resamples.estimate(areas.aurc, bounds=AURC.bounds),
        AUGRC.key: resamples.estimate(areas.augrc, bounds=AUGRC.bounds),
        FAILURE_AUROC.key: resamples.estimate(
            areas.auroc, bounds=FAILURE_AUROC.bounds, undefined=ONE_KIND
        ),
        FAILURE_AUROC_WITHIN.key: _within(episode_failure_auroc(sureness, right)),
    }


def _within(areas: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Estimate:
    mixed = areas[np.isfinite(areas)]
    if not mixed.size:
        return Estimate(None, reason=f"in each episode {ONE_KIND}")
    estimate = t_interval(mixed, bounds=FAILURE_AUROC_WITHIN.bounds)
    over = f"over the {mixed.size} of {areas.size} episodes with right and wrong answers"
    return replace(estimate, method=f"{estimate.method}; {over}" if estimate.method else "")


SELECTIVE_FAMILY = ScoreFamily(
    (AURC, AUGRC, FAILURE_AUROC, FAILURE_AUROC_WITHIN), _score, of_confidence=True
)
