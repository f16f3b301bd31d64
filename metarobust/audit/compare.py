"""The numbers of a comparison: differences to one reference on the same episodes (no torch)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_ind

from metarobust.audit.contest import Contest, LeftOut, NamedRun, SharedThreat
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import Kind
from metarobust.audit.methods import Method, choose_reference, group_by_method
from metarobust.audit.ranking import Ranking, rank_methods
from metarobust.metrics.accuracy import accuracy
from metarobust.stats.estimate import Estimate
from metarobust.stats.multiple import benjamini_hochberg, holm
from metarobust.stats.paired import sign_flip_test
from metarobust.stats.seeds import seed_difference, seed_interval

ALPHA = 0.05
SEVERITY_OF = ("error", "incomplete", "suspect", "ok")

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
        accuracy: share of queries named correctly, over the shared episodes.
        difference: accuracy less the reference's, in percentage points, paired by episode.
        p_value: of a difference of zero: by sign flips over episodes, or Welch's t over training
            seeds where both methods have several; None where it cannot be had.
        adjusted: the p-value within its family of tests.
        outcome: `better` or `worse` than the reference where `adjusted` is at most 0.05, else `no
            difference found`; `unknown` without a test; `reference` for the reference itself.
        status: the worst verdict among the cells behind it, the reference's included.
    """

    accuracy: Estimate
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
class Comparison:
    """What a comparison found.

    Attributes:
        runs: the runs compared.
        methods: who was compared.
        reference: index of the method that the others are compared with.
        kinds: the headline, the clean line first.
        lines: every threat.
        ranking: mean ranks over threats.
        left_out: threats that could not be compared.
    """

    runs: tuple[NamedRun, ...]
    methods: tuple[Method, ...]
    reference: int
    kinds: tuple[KindLine, ...]
    lines: tuple[ThreatLine, ...]
    ranking: Ranking
    left_out: tuple[LeftOut, ...]

    def of_seeds(self, method: int) -> bool:
        """Whether a comparison speaks of methods, and not of these checkpoints only."""
        return min(self.methods[method].seeds, self.methods[self.reference].seeds) > 1


@dataclass(frozen=True)
class _Sample:
    """Accuracies [seeds, E] of each method on the episodes they share; None where one has none."""

    values: tuple[npt.NDArray[np.float64] | None, ...]
    reasons: tuple[str, ...]
    statuses: tuple[str, ...]
    numbers: npt.NDArray[np.int64]


def compare(contest: Contest, *, reference: str | None = None, seed: int = 0) -> Comparison:
    """Compare every method of a contest with one reference.

    The p-values of named threats are adjusted by Holm over all of them and all methods, those of
    corruptions by Benjamini & Hochberg over the whole grid, those of the averages by kind by Holm.

    Args:
        contest: who is compared, and on what.
        reference: label of the method to compare with, see `choose_reference`.
        seed: of the sign flips; each test starts from it, so none depends on another.

    Raises:
        ConfigError: there is no such reference.
    """
    methods = group_by_method(contest.contestants)
    index = choose_reference(methods, reference)
    samples = [_sample(methods, threat) for threat in contest.threats]
    scored = [_scores(sample, index, seed) for sample in samples]
    explored = [threat.kind == "corruption" for threat in contest.threats]
    scored = _adjusted(scored, [not one for one in explored], holm)
    scored = _adjusted(scored, explored, benjamini_hochberg)
    lines = tuple(
        ThreatLine(threat, sample.numbers.size, "BH" if grid else "Holm", scores)
        for threat, sample, grid, scores in zip(
            contest.threats, samples, explored, scored, strict=True
        )
    )
    return Comparison(
        runs=contest.runs,
        methods=methods,
        reference=index,
        kinds=_by_kind(contest.threats, samples, index, seed),
        lines=lines,
        ranking=rank_methods(
            [(str(x.threat.facts.get("name")), x.threat.kind, _values(x)) for x in lines]
        ),
        left_out=contest.left_out,
    )


def _by_kind(
    threats: Sequence[SharedThreat], samples: Sequence[_Sample], index: int, seed: int
) -> tuple[KindLine, ...]:
    groups: dict[Kind, list[int]] = {}
    for place, threat in enumerate(threats):
        groups.setdefault(threat.kind, []).append(place)
    most = max(sample.numbers.size for sample in samples)
    done = {i for i, x in enumerate(samples) if not any(x.reasons) and x.numbers.size == most}
    # Where nothing of a kind is finished, what there is says why.
    averaged = [[i for i in places if i in done] or places[:1] for places in groups.values()]
    means = [_average([samples[i] for i in places]) for places in averaged]
    scored = [_scores(sample, index, seed) for sample in means]
    scored = _adjusted(scored, [True] * len(scored), holm)
    return tuple(
        KindLine(
            kind,
            tuple(threats[i].label for i in taken),
            tuple(threats[i].label for i in places if i not in taken),
            sample.numbers.size,
            scores,
        )
        for (kind, places), taken, sample, scores in zip(
            groups.items(), averaged, means, scored, strict=True
        )
    )


def _values(line: ThreatLine) -> list[float | None]:
    return [score.accuracy.value for score in line.scores]


def _sample(methods: Sequence[Method], threat: SharedThreat) -> _Sample:
    cells = [[member.cells[threat.label] for member in method.members] for method in methods]
    reasons = [
        next((f"{_why(cell)} in {m.run}" for cell, m in zip(own, method.members, strict=True)
              if not cell.episodes), "")
        for own, method in zip(cells, methods, strict=True)
    ]  # fmt: skip
    known = [cell for own, why in zip(cells, reasons, strict=True) for cell in own if not why]
    empty = np.empty(0, dtype=np.int64)
    numbers = reduce(np.intersect1d, [cell.arrays["number"] for cell in known]) if known else empty
    return _Sample(
        values=tuple(
            None if why else np.stack([_accuracies(cell, numbers) for cell in own])
            for own, why in zip(cells, reasons, strict=True)
        ),
        reasons=tuple(reasons),
        statuses=tuple(
            _worst(member.statuses[threat.label] for member in method.members) for method in methods
        ),
        numbers=numbers,
    )


def _why(cell: CellEvidence) -> str:
    return ": ".join(("no episode was evaluated", *cell.failures[:1]))


def _worst(statuses: Iterable[str]) -> str:
    return min(statuses, key=SEVERITY_OF.index)


def _accuracies(cell: CellEvidence, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Accuracy of the episodes with these numbers; a query without finite logits is an error."""
    answered = np.isfinite(cell.arrays["logits"]).all(axis=-1)
    _, places, _ = np.intersect1d(cell.arrays["number"], numbers, return_indices=True)
    shares: npt.NDArray[np.float64] = accuracy(cell.correct & answered)[places]
    return shares


def _average(samples: Sequence[_Sample]) -> _Sample:
    """The mean over several threats, episode by episode, on the episodes common to all."""
    numbers = reduce(np.intersect1d, [sample.numbers for sample in samples])
    kept = [np.isin(sample.numbers, numbers) for sample in samples]
    values: list[npt.NDArray[np.float64] | None] = []
    for method in range(len(samples[0].values)):
        own = [sample.values[method] for sample in samples]
        parts = [x[:, keep] for x, keep in zip(own, kept, strict=True) if x is not None]
        values.append(np.mean(parts, axis=0) if len(parts) == len(own) else None)
    return _Sample(
        values=tuple(values),
        reasons=tuple(
            next(filter(None, whys), "") for whys in zip(*(s.reasons for s in samples), strict=True)
        ),
        statuses=tuple(map(_worst, zip(*(s.statuses for s in samples), strict=True))),
        numbers=numbers,
    )


def _scores(sample: _Sample, index: int, seed: int) -> tuple[Score, ...]:
    return tuple(_score(sample, method, index, seed) for method in range(len(sample.values)))


def _score(sample: _Sample, method: int, index: int, seed: int) -> Score:
    ours, theirs = sample.values[method], sample.values[index]
    status = _worst((sample.statuses[method], sample.statuses[index]))
    if ours is None:
        missing = Estimate(None, reason=sample.reasons[method])
        return Score(missing, missing, status=status)
    own = seed_interval(ours, bounds=(0, 1))
    if method == index:
        nothing = Estimate(None, reason="this is the reference")
        return Score(own, nothing, outcome=REFERENCE, status=sample.statuses[method])
    if theirs is None:
        missing = Estimate(None, reason=f"the reference is missing: {sample.reasons[index]}")
        return Score(own, missing, status=status)
    difference = seed_difference(100 * ours, 100 * theirs, bounds=(-100.0, 100.0))
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
    return float(ttest_ind(*means, equal_var=False).pvalue)


def _adjusted(
    scored: Sequence[tuple[Score, ...]], chosen: Sequence[bool], adjust: Adjust
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
        line[place] = _judged(line[place], float(adjusted))
    return [tuple(line) for line in lines]


def _judged(score: Score, adjusted: float) -> Score:
    value = score.difference.value
    outcome = UNKNOWN
    if value is not None:
        outcome = UNCLEAR if adjusted > ALPHA or not value else BETTER if value > 0 else WORSE
    return replace(score, adjusted=adjusted, outcome=outcome)
