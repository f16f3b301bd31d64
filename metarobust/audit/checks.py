"""Every sanity check in one table, and the verdict of a cell: may its number be believed?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metarobust.audit.check import Check, CheckResult
from metarobust.audit.check_gradient import GRADIENT
from metarobust.audit.check_integrity import INTEGRITY
from metarobust.audit.check_learner import LEARNER
from metarobust.audit.check_strength import STRENGTH
from metarobust.audit.scores import CellScores

__all__ = ["CHECKS", "Check", "CheckResult", "Verdict", "check_cells"]

CHECKS: tuple[Check, ...] = (*INTEGRITY, *GRADIENT, *STRENGTH, *LEARNER)


@dataclass(frozen=True)
class Verdict:
    """What a reader must know before believing a cell.

    Attributes:
        status: `ok`; `suspect` when a check failed; `incomplete` when episodes are missing; `error`
            when there is no evidence at all.
        checks: every check that applies to the cell.
    """

    status: str
    checks: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)


def check_cells(scored: Sequence[CellScores]) -> dict[str, Verdict]:
    """The verdict of every cell, by cell key."""
    verdicts = {}
    for cell in scored:
        results = tuple(_results(cell, scored)) if cell.evidence.episodes else ()
        verdicts[cell.evidence.key] = Verdict(_status(cell, results), results)
    return verdicts


def _status(cell: CellScores, results: Iterable[CheckResult]) -> str:
    if cell.evidence.episodes == 0:
        return "error" if cell.evidence.failures else "incomplete"
    if any(not result.passed for result in results):
        return "suspect"
    if cell.evidence.failures or cell.evidence.episodes < cell.evidence.expected:
        return "error" if cell.evidence.failures else "incomplete"
    return "ok"


def _results(cell: CellScores, scored: Sequence[CellScores]) -> Iterable[CheckResult]:
    for check in CHECKS:
        result = check(cell, scored)
        if result is not None:
            yield result
