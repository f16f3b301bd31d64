"""What a sanity check is, and what checks ask of a cell and of its neighbours."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from metarobust.audit.regression_scores import is_regression
from metarobust.audit.score_accuracy import episode_accuracies
from metarobust.audit.scores import CellScores
from metarobust.stats.paired import paired_interval

ENSEMBLES = frozenset({"episode-autoattack"})
"""Engines that search with several others, one after the other."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check on one cell.

    Attributes:
        name: the check.
        passed: whether the evidence is as it should be.
        detail: the numbers it looked at, in words; after a failure, also what to do.
    """

    name: str
    passed: bool
    detail: str


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        passed: whether the evidence is as it should be.
        detail: the numbers it looked at, in words.
    """

    passed: bool
    detail: str


Judge = Callable[[CellScores, Sequence[CellScores]], Finding | None]
"""A cell, and all cells of its run, to a finding; None where the check does not apply."""


@dataclass(frozen=True)
class Check:
    """One sanity check, declared.

    Attributes:
        id: its number.
        name: what is true of a cell that passes.
        looks_at: the evidence it reads.
        formula: what it computes from that.
        threshold: what passes.
        advice: what to do after a failure.
        judge: the check.
        of_classes: whether it presumes classes, and so is not asked of a regression.
    """

    id: str
    name: str
    looks_at: str
    formula: str
    threshold: str
    advice: str
    judge: Judge
    of_classes: bool = True

    def __call__(self, cell: CellScores, scored: Sequence[CellScores]) -> CheckResult | None:
        """Judge a cell; None where the check does not apply."""
        asked = not (self.of_classes and is_regression(cell.evidence))
        found = self.judge(cell, scored) if asked else None
        if found is None:
            return None
        detail = found.detail if found.passed else f"{found.detail}; {self.advice}"
        return CheckResult(self.name, found.passed, detail)


def threat_of(cell: CellScores) -> dict[str, Any]:
    """The facts of a cell's threat."""
    return cell.evidence.threat


def is_clean(cell: CellScores) -> bool:
    """Whether a cell has no threat."""
    return bool(threat_of(cell)["family"] == "clean")


def has_gradients(cell: CellScores) -> bool:
    """Whether a cell's threat took gradients of the learner and had a budget to use them."""
    return bool(cell.evidence.arrays["gradient_calls"].any()) and threat_of(cell).get("eps") != 0


def chooses(cell: CellScores) -> bool:
    """Whether a threat chooses labels or images by outputs alone, and may keep what is there."""
    return threat_of(cell)["engine"] in ("worst-labels", "natural")


def same_learner(cell: CellScores, scored: Sequence[CellScores]) -> Iterable[CellScores]:
    """The evaluated cells of the same learner, without the cell itself."""
    label = cell.evidence.description["learner"]["label"]
    return (
        other
        for other in scored
        if other is not cell
        and other.evidence.description["learner"]["label"] == label
        and other.evidence.episodes
    )


def clean_cell(cell: CellScores, scored: Sequence[CellScores]) -> CellScores | None:
    """The evaluated clean cell of a cell's learner; a clean cell is its own."""
    if is_clean(cell):
        return cell
    return next((other for other in same_learner(cell, scored) if is_clean(other)), None)


def probe(cell: CellScores, scored: Sequence[CellScores], name: str) -> float | None:
    """A scalar measured once for the cell's learner, which its clean cell holds."""
    clean = clean_cell(cell, scored)
    return None if clean is None else clean.evidence.extras.get(name)


def same(one: dict[str, Any], other: dict[str, Any], keys: Iterable[str]) -> bool:
    """Whether two threats agree in some of their facts."""
    return all(one.get(key) == other.get(key) for key in keys)


def beaten_by(
    cell: CellScores,
    others: Iterable[CellScores],
    describe: Callable[[dict[str, Any]], str],
    slack: float = 0.0,
) -> Finding | None:
    """Whether any other cell's accuracy is lower than this one's, paired by episode.

    It fails where the mean difference is above `slack` and its 95 % interval above 0. Cells with
    fewer than two episodes in common are not compared.
    """
    compared = []
    for other in others:
        ours, theirs = cell.evidence.arrays["number"], other.evidence.arrays["number"]
        _, mine, yours = np.intersect1d(ours, theirs, return_indices=True)
        if len(mine) < 2:
            continue
        accuracy = episode_accuracies(cell.evidence)[mine]
        lower = episode_accuracies(other.evidence)[yours]
        excess = paired_interval(accuracy - lower, bounds=(-1.0, 1.0))
        value = excess.value or 0.0
        certain = (value if excess.low is None else excess.low) > 0
        detail = (
            f"accuracy {accuracy.mean():.3f} against {lower.mean():.3f} for "
            f"{describe(threat_of(other))}"
        )
        compared.append((value, Finding(not (value > slack and certain), detail)))
    if not compared:
        return None
    failures = [pair for pair in compared if not pair[1].passed]
    return max(failures or compared, key=lambda pair: pair[0])[1]
