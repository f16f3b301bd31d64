"""The numbers of a comparison: differences to one reference on the same episodes (no torch)."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_ind

from metarobust.audit.contest import Contest, LeftOut, NamedRun, SharedThreat
from metarobust.audit.kinds import Kind
from metarobust.audit.measure import Measure
from metarobust.audit.methods import Method, choose_reference, group_by_method, yardsticks
from metarobust.audit.ranking import Ranking, rank_methods
from metarobust.audit.regression_scores import MSE, REGRESSION_BY_KEY
from metarobust.audit.samples import Sample, average, sample, worst
from metarobust.audit.score_accuracy import ACCURACY
from metarobust.audit.scores import MEASURE_BY_KEY
from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.stats.estimate import Estimate
from metarobust.stats.multiple import benjamini_hochberg, holm
from metarobust.stats.paired import sign_flip_test
from metarobust.stats.seeds import seed_difference, seed_interval

ALPHA = 0.05

BETTER, WORSE, UNCLEAR, UNKNOWN, REFERENCE = (
    "better",
    "worse",
    "no difference found",
    "unknown",
    "reference",
)

Adjust = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Score:
    """One method under one threat, or under all threats of one kind.

    Attributes:
        estimate: what is compared, over the shared episodes.
        difference: that less the reference's, paired by episode; of a share, in percentage points.
        p_value: of a difference of zero: by sign flips over episodes, or Welch's t over training
            seeds where both methods have several; None where it cannot be had.
        adjusted: the p-value within its family of tests.
        outcome: `better` or `worse` than the reference where `adjusted` is at most 0.05, else `no
            difference found`; `unknown` without a test; `reference` for the reference itself.
        status: the worst verdict among the cells behind it, the reference's included.
    """

    estimate: Estimate
    difference: Estimate
    p_value: float | None = None
    adjusted: float | None = None
    outcome: str = UNKNOWN
    status: str = "ok"


@dataclass(frozen=True)
class ThreatLine:
    """One threat: a score per method, in the order of the methods.

    Attributes:
        threat: the threat.
        episodes: episodes that every method was scored on.
        family: how p-values were adjusted: `Holm` (named threats) or `BH` (corruptions).
        scores: one per method.
    """

    threat: SharedThreat
    episodes: int
    family: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class KindLine:
    """The threats of one kind, averaged episode by episode; p-values are adjusted by Holm.

    Attributes:
        kind: the kind.
        threats: those averaged: the ones that every method finished.
        unfinished: the others.
        episodes: episodes that every method was scored on.
        scores: one per method.
    """

    kind: Kind
    threats: tuple[str, ...]
    unfinished: tuple[str, ...]
    episodes: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Standing:
    """How every method stands to a yardstick: what training on episodes bought it.

    Attributes:
        yardstick: index of a method that was trained without episodes.
        kinds: as in a comparison with it as the reference; p-values are adjusted among these.
    """

    yardstick: int
    kinds: tuple[KindLine, ...]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        measure: what is compared.
        runs: the runs compared.
        methods: who was compared.
        reference: index of the method that the others are compared with.
        kinds: the headline, the clean line first.
        standings: one for each yardstick that is not the reference; none where no method but
            yardsticks is compared.
        lines: every threat.
        ranking: mean ranks over threats.
        left_out: threats that could not be compared.
    """

    measure: Measure
    runs: tuple[NamedRun, ...]
    methods: tuple[Method, ...]
    reference: int
    kinds: tuple[KindLine, ...]
    standings: tuple[Standing, ...]
    lines: tuple[ThreatLine, ...]
    ranking: Ranking
    left_out: tuple[LeftOut, ...]

    def of_seeds(self, method: int) -> bool:
        """Whether a comparison speaks of methods, and not of these checkpoints only."""
        return min(self.methods[method].seeds, self.methods[self.reference].seeds) > 1


def comparable(name: str | None, *, regression: bool = False) -> Measure:
    """The score of this name, if learners can be compared on it.

    Args:
        name: of a score; None for the accuracy, or for the mean squared error of regressions.
        regression: whether the learners regress.

    Raises:
        ConfigError: there is no such score, or an episode has no value of it by itself, so that
            two learners cannot be paired episode by episode.
    """
    if name is None:
        return MSE if regression else ACCURACY
    known = REGRESSION_BY_KEY if regression else MEASURE_BY_KEY
    paired = [measure.key for measure in known.values() if measure.episodes is not None]
    if name not in known:
        of = " of regressions" if regression else ""
        raise ConfigError(f"--score: unknown score{of} {name!r}; {did_you_mean(name, paired)}")
    if name not in paired:
        raise ConfigError(
            f"--score: {name} is no mean over episodes of one cell, and comparisons are paired by "
            f"episode; choose from: {', '.join(paired)}"
        )
    return known[name]


def compare(
    contest: Contest,
    *,
    measure: Measure | None = None,
    reference: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare every method of a contest with one reference.

    The p-values of named threats are adjusted by Holm over all of them and all methods, those of
    corruptions by Benjamini & Hochberg over the whole grid, those of the averages by kind by Holm.
    The tests against a yardstick are a family of their own and leave the others as they are.

    Args:
        contest: who is compared, and on what.
        measure: the score to compare, see `comparable`, which also knows the default.
        reference: label of the method to compare with, see `choose_reference`.
        seed: of the sign flips; each test starts from it, so none depends on another.

    Raises:
        ConfigError: there is no such reference.
    """
    measure = measure or comparable(None, regression=contest.regression)
    methods = group_by_method(contest.contestants)
    index = choose_reference(methods, reference)
    samples = [sample(methods, threat, measure) for threat in contest.threats]
    scored = [_scores(each, index, seed, measure) for each in samples]
    explored = [threat.kind == "corruption" for threat in contest.threats]
    scored = _adjusted(scored, [not one for one in explored], holm, measure)
    scored = _adjusted(scored, explored, benjamini_hochberg, measure)
    lines = tuple(
        ThreatLine(threat, each.numbers.size, "BH" if grid else "Holm", scores)
        for threat, each, grid, scores in zip(
            contest.threats, samples, explored, scored, strict=True
        )
    )
    kinds = partial(_by_kind, contest.threats, samples, seed=seed, measure=measure)
    return Comparison(
        measure=measure,
        runs=contest.runs,
        methods=methods,
        reference=index,
        kinds=kinds(index),
        standings=tuple(Standing(i, kinds(i)) for i in yardsticks(methods) if i != index),
        lines=lines,
        ranking=rank_methods(
            [(str(x.threat.facts.get("name")), x.threat.kind, _heights(x, measure)) for x in lines]
        ),
        left_out=contest.left_out,
    )


def _by_kind(
    threats: Sequence[SharedThreat],
    samples: Sequence[Sample],
    index: int,
    seed: int,
    measure: Measure,
) -> tuple[KindLine, ...]:
    groups: dict[Kind, list[int]] = {}
    for place, threat in enumerate(threats):
        groups.setdefault(threat.kind, []).append(place)
    most = max(each.numbers.size for each in samples)
    done = {i for i, x in enumerate(samples) if not any(x.reasons) and x.numbers.size == most}
    # Where nothing of a kind is finished, what there is says why.
    averaged = [[i for i in places if i in done] or places[:1] for places in groups.values()]
    means = [average([samples[i] for i in places]) for places in averaged]
    scored = [_scores(each, index, seed, measure) for each in means]
    scored = _adjusted(scored, [True] * len(scored), holm, measure)
    return tuple(
        KindLine(
            kind,
            tuple(threats[i].label for i in taken),
            tuple(threats[i].label for i in places if i not in taken),
            each.numbers.size,
            scores,
        )
        for (kind, places), taken, each, scores in zip(
            groups.items(), averaged, means, scored, strict=True
        )
    )


def _heights(line: ThreatLine, measure: Measure) -> list[float | None]:
    """What methods are ranked by: the higher, the better."""
    sign = 1.0 if measure.higher_is_better else -1.0
    values = [score.estimate.value for score in line.scores]
    return [None if value is None else sign * value for value in values]


def _scores(each: Sample, index: int, seed: int, measure: Measure) -> tuple[Score, ...]:
    return tuple(_score(each, method, index, seed, measure) for method in range(len(each.values)))


def _score(each: Sample, method: int, index: int, seed: int, measure: Measure) -> Score:
    ours, theirs = each.values[method], each.values[index]
    status = worst((each.statuses[method], each.statuses[index]))
    if ours is None:
        missing = Estimate(None, reason=each.reasons[method])
        return Score(missing, missing, status=status)
    own = seed_interval(ours, bounds=measure.bounds)
    if method == index:
        nothing = Estimate(None, reason="this is the reference")
        return Score(own, nothing, outcome=REFERENCE, status=each.statuses[method])
    if theirs is None:
        missing = Estimate(None, reason=f"the reference is missing: {each.reasons[index]}")
        return Score(own, missing, status=status)
    factor = 100.0 if measure.unit == "share" else 1.0
    reach = factor * (measure.bounds[1] - measure.bounds[0])
    difference = seed_difference(factor * ours, factor * theirs, bounds=(-reach, reach))
    return Score(own, difference, p_value=_p_value(ours, theirs, seed), status=status)


def _p_value(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], seed: int
) -> float | None:
    if not ours.size:
        return None
    if min(len(ours), len(theirs)) == 1:
        # Means of several seeds are rounded; differences of 1e-16 are ties.
        differences = (ours.mean(axis=0) - theirs.mean(axis=0)).round(12)
        return sign_flip_test(differences, rng=np.random.default_rng(seed)).p_value
    means = ours.mean(axis=1), theirs.mean(axis=1)
    if max(np.ptp(x) for x in means) < 1e-12:
        return None
    with warnings.catch_warnings():
        # Seeds of one method may all reach the same accuracy; the other's spread then decides.
        warnings.filterwarnings("ignore", message="Precision loss occurred")
        return float(ttest_ind(*means, equal_var=False).pvalue)


def _adjusted(
    scored: Sequence[tuple[Score, ...]],
    chosen: Sequence[bool],
    adjust: Adjust,
    measure: Measure,
) -> list[tuple[Score, ...]]:
    """The scores with the p-values of the chosen lines adjusted together, and their outcomes."""
    lines = [list(scores) for scores in scored]
    tested = [
        (line, place, score.p_value)
        for line, take in zip(lines, chosen, strict=True)
        for place, score in enumerate(line)
        if take and score.p_value is not None
    ]
    together = adjust(np.array([p for _, _, p in tested]))
    for (line, place, _), adjusted in zip(tested, together, strict=True):
        line[place] = _judged(line[place], float(adjusted), measure)
    return [tuple(line) for line in lines]


def _judged(score: Score, adjusted: float, measure: Measure) -> Score:
    value = score.difference.value
    outcome = UNKNOWN
    if value is not None:
        ahead = (value > 0) == measure.higher_is_better
        outcome = UNCLEAR if adjusted > ALPHA or not value else BETTER if ahead else WORSE
    return replace(score, adjusted=adjusted, outcome=outcome)
