"""The scores of a cell, each with its interval by episode, recomputed from stored logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.backdoor import BACKDOOR, backdoor_scores
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.stopping import stopped_interval
from metarobust.metrics import accuracy, calibration, proper
from metarobust.stats.bootstrap import ece_interval
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval, t_interval
from metarobust.stats.paired import paired_interval

AGAINST_CLEAN = ("drop_points", "relative_drop", "retention", "robust_given_correct")
OF_CONFIDENCE = ("ece", "ece_null", "brier", "nll")
SCORES = ("accuracy", *AGAINST_CLEAN, *OF_CONFIDENCE, "attacker_accuracy", *BACKDOOR)

BoolArray = npt.NDArray[np.bool_]


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
        scores: an `Estimate` for every name of `SCORES`; one that cannot be had says why.
            `accuracy`, `retention`, `relative_drop`, `robust_given_correct`, `ece`,
            `attacker_accuracy` and those of backdoors are fractions, `drop_points` percentage points, `nll` nats and
            `brier` on [0, 2]. `ece_null` is the mean and central 95 % of what a calibrated learner
            would show. `attacker_accuracy` is an upper bound of the threat's effect.
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
    return [
        _score(cell, clean.get(cell.description["learner"]["label"]), seed, sequential)
        for cell in cells
    ]


def episode_accuracies(cell: CellEvidence) -> npt.NDArray[np.float64]:
    """The accuracy of each evaluated episode, [E]; a query without finite logits is an error."""
    return accuracy.accuracy(_hits(cell))


def _score(
    cell: CellEvidence, clean: CellEvidence | None, seed: int, sequential: bool
) -> CellScores:
    if not cell.episodes:
        why = ": ".join(("no episode was evaluated", *cell.failures[:1]))
        return CellScores(cell, _missing(SCORES, why), ())
    of_confidence, reliability = _of_confidence(cell, seed)
    shares = episode_accuracies(cell)
    named = stopped_interval(shares) if sequential else t_interval(shares, bounds=(0, 1))
    scores = {
        "accuracy": named,
        **_against_clean(cell, clean),
        **of_confidence,
        "attacker_accuracy": _attacker_accuracy(cell),
        **backdoor_scores(cell, named),
    }
    return CellScores(cell, scores, reliability)


def _missing(names: Sequence[str], why: str) -> dict[str, Estimate]:
    return dict.fromkeys(names, Estimate(None, reason=why))


def _answered(cell: CellEvidence) -> BoolArray:
    finite: BoolArray = np.isfinite(cell.arrays["logits"]).all(axis=-1)
    return finite


def _hits(cell: CellEvidence) -> BoolArray:
    return cell.correct & _answered(cell)


def _against_clean(cell: CellEvidence, clean: CellEvidence | None) -> dict[str, Estimate]:
    if clean is None or not clean.episodes:
        return _missing(AGAINST_CLEAN, "this learner has no evaluated clean cell")
    _, ours, theirs = np.intersect1d(
        cell.arrays["number"], clean.arrays["number"], return_indices=True
    )
    if not ours.size:
        return _missing(AGAINST_CLEAN, "no episode is shared with the clean cell")
    for name in ("query_ids", "labels"):
        if not np.array_equal(cell.arrays[name][ours], clean.arrays[name][theirs]):
            why = f"episodes of the same number differ from the clean cell's in {name}"
            return _missing(AGAINST_CLEAN, why)
    before, after = _hits(clean)[theirs], _hits(cell)[ours]
    clean_accuracy, attacked = accuracy.accuracy(before), accuracy.accuracy(after)
    ways = cell.arrays["logits"].shape[-1]
    return {
        "drop_points": paired_interval(
            accuracy.drop_points(clean_accuracy, attacked), bounds=(-100.0, 100.0)
        ),
        "relative_drop": ratio_interval(
            *accuracy.relative_drop(clean_accuracy, attacked),
            reference="clean accuracy",
            bounds=(-np.inf, 1.0),
        ),
        "retention": ratio_interval(
            *accuracy.retention(clean_accuracy, attacked, ways),
            reference="clean accuracy above chance",
        ),
        "robust_given_correct": ratio_interval(
            *accuracy.robust_given_correct(before, after),
            reference="clean accuracy",
            bounds=(0.0, 1.0),
        ),
    }


def _of_confidence(
    cell: CellEvidence, seed: int
) -> tuple[dict[str, Estimate], tuple[ReliabilityBin, ...]]:
    unanswered = int((~_answered(cell)).sum())
    if unanswered:
        why = f"{unanswered} of {cell.correct.size} queries have logits that are not finite"
        return _missing(OF_CONFIDENCE, why), ()
    logits, labels = cell.arrays["logits"], cell.arrays["labels"]
    shares = calibration.probabilities(logits)
    confidences = shares.max(axis=-1)
    edges = calibration.mass_edges(confidences)
    rng = np.random.default_rng(seed)
    null = calibration.null_ece(confidences, edges, rng)
    low, high = np.quantile(null, [0.025, 0.975])
    gaps = calibration.episode_gaps(confidences, cell.correct, edges)
    bins = calibration.reliability_bins(confidences, cell.correct, edges)
    scores = {
        "ece": ece_interval(gaps, confidences.shape[1], null, rng=rng),
        "ece_null": Estimate(
            float(null.mean()),
            float(low),
            float(high),
            method=f"mean and central 95 % of {null.size} draws of calibrated outcomes",
        ),
        "brier": t_interval(proper.brier(shares, labels).mean(axis=-1), bounds=(0, 2)),
        "nll": t_interval(proper.nll(logits, labels).mean(axis=-1), bounds=(0, np.inf)),
    }
    points = zip(bins.confidence, bins.accuracy, bins.count, strict=True)
    return scores, tuple(ReliabilityBin(float(c), float(a), int(n)) for c, a, n in points)


def _attacker_accuracy(cell: CellEvidence) -> Estimate:
    shares: npt.NDArray[Any] = cell.arrays.get("attacker_correct", np.empty(0))
    shares = shares[shares >= 0]
    if not shares.size:
        return Estimate(None, reason="this threat has no queries of the attacker's own")
    return t_interval(shares, bounds=(0, 1))
