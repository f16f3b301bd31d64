"""The report, and its gates, as short tables for a terminal."""

from metarobust.report.fields import SCORES, show_estimate, show_value
from metarobust.report.model import ReportModel
from metarobust.report.regression import is_regression

_SHOWN = {field.key: field for field in SCORES}

GATE_HEADINGS = ("gate", "learner", "decided by", "measured", "bound", "limit", "outcome")
HEADINGS = ("learner", "threat", "accuracy [95 %]", "drop", "ECE", "verdict")
REGRESSION_HEADINGS = ("learner", "threat", "MSE [95 %]", "increase", "90 % coverage", "verdict")


def headings(model: ReportModel) -> tuple[str, ...]:
    """What the columns of `terminal_rows` are called."""
    return REGRESSION_HEADINGS if is_regression(model.rows) else HEADINGS


def terminal_rows(model: ReportModel) -> list[tuple[str, ...]]:
    """One row a cell, in the columns of `headings`."""
    if is_regression(model.rows):
        return [
            (
                row.learner,
                row.threat,
                show_estimate(row.scores["mse"], "number"),
                show_value(row.scores["mse_increase"].value, "number"),
                show_value(row.scores["coverage"].value, "share"),
                row.status,
            )
            for row in model.rows
        ]
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
