"""What a score of a cell is: its name, its unit, its scale, and the family that computes it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.metrics.tail import cvar
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import Bounds, t_interval
from metarobust.stats.resamples import EpisodeResamples

Unit = Literal["share", "points", "number"]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """One score of a cell.

    Attributes:
        key: its name in `CellScores.scores`, in gates, and the stem of its columns in tables.
        title: its column heading.
        unit: `share` (printed in percent), `points` (percentage points) or `number`.
        higher_is_better: the direction in which the learner is better off.
        meaning: one sentence for a reader who has not met it.
        bounds: the ends of its scale.
        counted_in: what a `number` is counted in, in words; empty for the other units.
        has_interval: whether its value comes with an interval; a gate takes the value where not.
        episodes: where it is a mean over episodes, the value of each evaluated episode, [E];
            raises ValueError where the evidence does not give it. Only such scores can be compared
            episode by episode.
    """

    key: str
    title: str
    unit: Unit
    higher_is_better: bool
    meaning: str
    bounds: Bounds = (0.0, 1.0)
    counted_in: str = ""
    has_interval: bool = True
    episodes: Callable[[CellEvidence], FloatArray] | None = None


@dataclass(frozen=True)
class ScoringContext:
    """What scoring needs beyond the evidence.

    Attributes:
        seed: of every resample; at least 0.
        sequential: whether accuracy decided how many episodes there are.
    """

    seed: int = 0
    sequential: bool = False

    @property
    def rng(self) -> np.random.Generator:
        """A fresh generator: no score depends on which others were computed before it."""
        return np.random.default_rng(self.seed)


Scorer = Callable[[CellEvidence, CellEvidence | None, ScoringContext], dict[str, Estimate]]


@dataclass(frozen=True)
class ScoreFamily:
    """Scores that are computed together.

    Attributes:
        measures: what it computes, in table order.
        score: from a cell with at least one episode, its learner's clean cell (None where there is
            none) and the context, an estimate for the key of every measure.
        of_confidence: whether it reads probabilities; it is then not asked about a cell with
            logits that are not finite.
    """

    measures: tuple[Measure, ...]
    score: Scorer
    of_confidence: bool = False


def missing(measures: Iterable[Measure], why: str) -> dict[str, Estimate]:
    """No value for any of the measures, and why."""
    return {measure.key: Estimate(None, reason=why) for measure in measures}


def mean_score(measure: Measure, cell: CellEvidence) -> Estimate:
    """The mean over episodes of a measure that has one value for each, with its t interval.

    Raises:
        TypeError: the measure has no value for each episode.
    """
    if measure.episodes is None:
        raise TypeError(f"{measure.key}: expected a mean over episodes, got a pooled score")
    try:
        values = measure.episodes(cell)
    except ValueError as problem:
        return Estimate(None, reason=str(problem))
    return t_interval(values, bounds=measure.bounds)


def at_episodes(
    values: FloatArray, cell: CellEvidence, numbers: npt.NDArray[np.int64]
) -> FloatArray:
    """The values of those evaluated episodes of a cell that have these numbers, in their order.

    Args:
        values: one for each evaluated episode of the cell, [E].
        cell: the cell.
        numbers: increasing, all of them evaluated.
    """
    _, places, _ = np.intersect1d(cell.arrays["number"], numbers, return_indices=True)
    return values[places]


def tail_estimate(values: FloatArray, measure: Measure, context: ScoringContext) -> Estimate:
    """The mean of the worst tenth of the episodes (CVaR), with its interval by episode.

    Args:
        values: one number per episode, [E] with E >= 1.
        measure: the tail's; `higher_is_better` says which end is the worst.
        context: whose seed decides the resamples.
    """
    resamples = EpisodeResamples.draw(values.size, context.rng)
    worst: Literal["lowest", "highest"] = "lowest" if measure.higher_is_better else "highest"
    tails = cvar(values[resamples.rows], worst=worst)
    return resamples.estimate(tails, bounds=measure.bounds)


def answered(cell: CellEvidence) -> BoolArray:
    """Whether each query was answered with finite logits, bool [E, Q]."""
    finite: BoolArray = np.isfinite(cell.arrays["logits"]).all(axis=-1)
    return finite


def hits(cell: CellEvidence) -> BoolArray:
    """Whether each query was answered correctly, bool [E, Q]; without finite logits it was not."""
    right: BoolArray = cell.correct & answered(cell)
    return right


def finite_logits(cell: CellEvidence) -> npt.NDArray[Any]:
    """The logits [E, Q, N] of a cell.

    Raises:
        ValueError: some are not finite, so that there are no probabilities.
    """
    unanswered = int((~answered(cell)).sum())
    if unanswered:
        total = cell.arrays["labels"].size
        raise ValueError(f"{unanswered} of {total} queries have logits that are not finite")
    return cell.arrays["logits"]
