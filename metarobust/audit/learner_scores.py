"""What many cells of one learner say together: areas under curves, mCE, radii, its temperature."""

from collections.abc import Mapping, Sequence
from typing import Any

from metarobust.audit.learner_corruptions import score_corruptions
from metarobust.audit.learner_curves import score_curves
from metarobust.audit.learner_measure import LEARNER_MEASURES, LearnerScore
from metarobust.audit.recalibration import read_recalibration
from metarobust.audit.score_against_clean import MEDIAN_RADIUS
from metarobust.audit.scores import CellScores
from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.stats.estimate import Estimate


def score_learners(
    cells: Sequence[CellScores], *, reference: str | None = None, seed: int = 0
) -> tuple[LearnerScore, ...]:
    """Score the learners of one run over their cells.

    Args:
        cells: every cell of the run, scored.
        reference: label of the learner that mCE is relative to; the run's first by default.
        seed: of the resamples.

    Returns:
        Learner by learner, in the order of `LEARNER_MEASURES`; areas only for threats of at least
        two strengths, mCE only where there are several learners.

    Raises:
        ConfigError: there is no such reference.
    """
    by_learner: dict[str, list[CellScores]] = {}
    for cell in cells:
        by_learner.setdefault(cell.evidence.description["learner"]["label"], []).append(cell)
    if reference is not None and reference not in by_learner:
        raise ConfigError(
            f"reference: no learner labelled {reference!r}; {did_you_mean(reference, by_learner)}"
        )
    model = reference if reference is not None else next(iter(by_learner), "")
    found: list[LearnerScore] = []
    for label, own in by_learner.items():
        found += score_curves(label, [cell.evidence for cell in own], seed)
        if len(by_learner) > 1:
            theirs = [cell.evidence for cell in by_learner[model]]
            found += score_corruptions(label, [c.evidence for c in own], model, theirs, seed)
        found += [
            LearnerScore(
                label,
                MEDIAN_RADIUS.key,
                cell.evidence.threat["label"],
                cell.scores[MEDIAN_RADIUS.key],
            )
            for cell in own
            if "radius" in cell.evidence.arrays
        ]
        found.append(_temperature(label, own[0].evidence.description["learner"]))
    order = [measure.key for measure in LEARNER_MEASURES]
    places = {label: place for place, label in enumerate(by_learner)}
    return tuple(sorted(found, key=lambda s: (places[s.learner], order.index(s.key))))


def _temperature(label: str, learner: Mapping[str, Any]) -> LearnerScore:
    try:
        fitted = read_recalibration(learner)
    except ValueError as problem:
        return LearnerScore(label, "temperature", "meta-val", Estimate(None, reason=str(problem)))
    reason = f"fitted once, on half of {fitted.episodes} clean meta-val episodes"
    return LearnerScore(
        label, "temperature", "meta-val", Estimate(fitted.temperature, reason=reason)
    )
