"""The report, and its gates, as short tables for a terminal."""

from metarobust.report.fields import SCORES, show_estimate, show_value
from metarobust.report.model import ReportModel

_SHOWN = {field.key: field for field in SCORES}

GATE_HEADINGS = ("gate", "learner", "decided by", "measured", "bound", "limit", "outcome")
HEADINGS = ("learner", "threat", "accuracy [95 %]", "drop", "ECE", "verdict")


def terminal_rows(model: ReportModel) -> list[tuple[str, ...]]:
    """One row a cell, in the columns of `HEADINGS`."""
    return [
        (
            row.learner,
            row.threat,
            show_estimate(row.accuracy, _SHOWN["accuracy"].unit),
            *(
                show_value(row.scores[key].value, _SHOWN[key].unit)
                for key in ("drop_points", "ece")
            ),
            row.status,
        )
        for row in model.rows
    ]


def gate_rows(model: ReportModel) -> list[tuple[str, ...]]:
    """One row a gate and learner, in the columns of `GATE_HEADINGS`."""
    return [
        (
            row.result.gate,
            row.result.learner,
            row.result.threat,
            row.value,
            row.bound,
            row.limit,
            f"{row.outcome}: {row.result.reason}" if row.result.reason else row.outcome,
        )
        for row in model.gates
    ]
