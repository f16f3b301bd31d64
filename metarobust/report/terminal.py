"""The report as a short table for a terminal."""

from metarobust.report.fields import SCORES, show_estimate, show_value
from metarobust.report.model import ReportModel

_SHOWN = {field.key: field for field in SCORES}

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
