"""Gates as a report shows them: the line, the number, the bound, the limit and the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from metarobust.audit.gates import GateResult
from metarobust.audit.measure import Unit
from metarobust.audit.regression_scores import REGRESSION_MEASURES
from metarobust.report.fields import SCORES, show_value
from metarobust.report.text import plain

_UNITS: dict[str, Unit] = {field.key: field.unit for field in (*REGRESSION_MEASURES, *SCORES)}
_SUFFIX: dict[Unit, str] = {"share": "%", "points": " points", "number": ""}
MOST_DIGITS = 10


@dataclass(frozen=True)
class GateRow:
    """One gate for one learner, with its numbers as people read them.

    Attributes:
        result: the judgement, its texts made harmless.
        value: the score; an em dash where there is none.
        bound: the end of the interval that was compared; likewise.
        limit: the limit, to as many digits as it takes to tell it from the bound.
        sentence: what decided.
    """

    result: GateResult
    value: str
    bound: str
    limit: str
    sentence: str

    @property
    def outcome(self) -> str:
        """`passed` or `failed`."""
        return "passed" if self.result.passed else "failed"


def build_gates(results: Sequence[GateResult]) -> tuple[GateRow, ...]:
    """One row per judgement, in the order given."""
    return tuple(_row(result) for result in results)


def gates_sentence(rows: Sequence[GateRow]) -> str:
    """How the gates ended, in one sentence; empty where there are none."""
    failed = sum(not row.result.passed for row in rows)
    if not rows:
        return ""
    if not failed:
        return "The gate passed." if len(rows) == 1 else f"All {len(rows)} gates passed."
    return "The gate failed." if len(rows) == 1 else f"{failed} of {len(rows)} gates failed."


def apart(bound: float | None, limit: float, unit: Unit) -> tuple[str, str]:
    """A bound and a limit with the fewest digits that show which is larger.

    >>> apart(0.312, 0.3, "share"), apart(0.29996, 0.3, "share")
    (('31.2%', '30.0%'), ('29.996%', '30.000%'))
    """
    if bound is None:
        return show_value(None, unit), _digits(limit, unit, 3 if unit == "number" else 1)
    first = 3 if unit == "number" else 1
    for digits in range(first, MOST_DIGITS):
        texts = _digits(bound, unit, digits), _digits(limit, unit, digits)
        if texts[0] != texts[1]:
            return texts
    return _digits(bound, unit, first), _digits(limit, unit, first)


def _digits(value: float, unit: Unit, digits: int) -> str:
    scale = 100 if unit == "share" else 1
    return f"{round(scale * value, digits) + 0.0:.{digits}f}{_SUFFIX[unit]}"


def _row(result: GateResult) -> GateRow:
    unit = _UNITS[result.score]
    shown = replace(
        result,
        gate=plain(result.gate),
        learner=plain(result.learner, 80),
        threat=plain(result.threat, 80),
        reason=plain(result.reason, 600),
    )
    bound, limit = apart(result.bound, result.limit, unit)
    return GateRow(
        shown, show_value(result.value, unit), bound, limit, _sentence(shown, bound, limit)
    )


def _sentence(result: GateResult, bound: str, limit: str) -> str:
    if result.reason:
        return result.reason
    if result.relation == ">=":
        end, keeps, breaks = "lower", "reaches", "is below"
    else:
        end, keeps, breaks = "upper", "keeps to", "exceeds"
    verb = keeps if result.passed else breaks
    return f"the {end} end of the interval, {bound}, {verb} the limit of {limit}"
