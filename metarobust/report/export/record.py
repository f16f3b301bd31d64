"""What trackers are told of a run: conditions, measures and files, and how one is reached."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from metarobust.core.errors import MetarobustError
from metarobust.report.rows import Row

Condition = str | int | float | bool

FILES = (
    "report.html",
    "report.md",
    "summary.json",
    "cells.csv",
    "learners.csv",
    "junit.xml",
    "config.yaml",
    "manifest.json",
)
"""The files of a run folder that go with it; the evidence itself, `run.db`, stays."""


def title(row: Row) -> str:
    """A cell's name among all of a run: `LEARNER/THREAT`."""
    return f"{row.learner}/{row.threat}"


def conditions(row: Row) -> dict[str, Condition]:
    """Under what a cell was measured; facts that do not apply to it are left out."""
    facts: dict[str, Condition | None] = {
        "learner": row.learner,
        "norm_mode": row.norm_mode,
        "threat": row.threat,
        "recipe": row.name,
        "kind": row.kind,
        "dataset": row.dataset,
        "protocol": row.protocol,
        "status": row.status,
        **asdict(row.budget),
    }
    return {name: value for name, value in facts.items() if value is not None}


def measures(row: Row) -> dict[str, float]:
    """The cell's scores that are known, with the ends of their intervals, and `episodes`."""
    found: dict[str, float] = {"episodes": row.episodes}
    for name, estimate in row.scores.items():
        ends = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        found |= {key: value for key, value in ends.items() if value is not None}
    return found


def attachments(folder: Path) -> Sequence[Path]:
    """The files of a run folder that go with it, those that are there."""
    return [folder / name for name in FILES if (folder / name).is_file()]


@contextmanager
def plain_refusals(tracker: str) -> Iterator[None]:
    """Turn whatever a tracker raises, such as a server out of reach, into one line."""
    try:
        yield
    except MetarobustError:
        raise
    except Exception as problem:
        reason = str(problem).strip().partition("\n")[0]
        raise MetarobustError(
            f"{tracker}: {type(problem).__name__}: {reason}; the run is saved and unchanged, mend "
            "that and export it again"
        ) from problem
