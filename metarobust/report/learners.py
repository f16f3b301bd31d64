"""Scores of whole learners as a report shows them: areas, mCE, radii, temperatures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from metarobust.audit.learner_measure import LEARNER_MEASURES
from metarobust.audit.learner_scores import score_learners
from metarobust.audit.measure import Measure
from metarobust.audit.scores import CellScores
from metarobust.report.rows import readable
from metarobust.report.text import plain
from metarobust.stats.estimate import Estimate

_MEASURES = {measure.key: measure for measure in LEARNER_MEASURES}
LEARNER_COLUMNS = (
    "run",
    "learner",
    "score",
    "of",
    "reference",
    "value",
    "low",
    "high",
    "reason",
)


@dataclass(frozen=True)
class LearnerRow:
    """One score of a learner that takes several of its cells.

    Attributes:
        learner: the learner's label.
        field: the score's name, unit and meaning.
        of: the threats it is taken over, in words.
        reference: label of the learner it is relative to; empty where it is relative to none.
        estimate: the number.
    """

    learner: str
    field: Measure
    of: str
    reference: str
    estimate: Estimate


def build_learner_rows(scored: Sequence[CellScores]) -> tuple[LearnerRow, ...]:
    """One row per score, learner by learner."""
    return tuple(
        LearnerRow(
            learner=plain(score.learner, 80),
            field=_MEASURES[score.key],
            of=plain(score.of, 80),
            reference=plain(score.reference, 80),
            estimate=readable(score.estimate),
        )
        for score in score_learners(scored)
    )


def learner_record(row: LearnerRow) -> dict[str, Any]:
    """The row as JSON."""
    return {
        "learner": row.learner,
        "score": row.field.key,
        "of": row.of,
        "reference": row.reference or None,
        "estimate": asdict(row.estimate),
    }
