"""The report as a short table for a terminal."""

from metarobust.report.model import ReportModel
from metarobust.stats.estimate import Estimate

HEADINGS = ("learner", "threat", "accuracy", "drop", "ECE", "verdict")


def terminal_rows(model: ReportModel) -> list[tuple[str, ...]]:
    """One row a cell, in the columns of `HEADINGS`; accuracy with its 95 % interval."""
    return [
        (
            row.learner,
            row.threat,
            _share_with_interval(row.accuracy),
            _points(row.scores["drop_points"]),
            _share(row.scores["ece"]),
            row.status,
        )
        for row in model.rows
    ]


def _share(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{100 * estimate.value:.1f}%"


def _share_with_interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return estimate.reason or "-"
    if estimate.low is None or estimate.high is None:
        return _share(estimate)
    return f"{_share(estimate)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _points(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{estimate.value:+.1f}"
