"""What an attacked regression looks like: the function, the points given, the predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import Kind
from metarobust.audit.regression_scores import episode_errors
from metarobust.audit.scores import CellScores
from metarobust.report.headline import PHRASES, worst
from metarobust.report.rows import Row

Points = npt.NDArray[np.float64]
"""Points (x, y), float64 [n, 2], x in the units of the data set."""

KINDS: tuple[Kind, ...] = ("query", "support", "both")


@dataclass(frozen=True, eq=False)
class FitPicture:
    """One attacked episode of a regression: the first, not chosen for effect.

    Attributes:
        name: file name stem of its figure.
        colour: index of the learner, the same in every figure.
        learner: the learner's label.
        threat: the threat's label.
        status: the verdict of the cell.
        function: all points that the data set has of the function, from left to right.
        support: the points that the learner was to adapt to.
        given: where it saw them.
        before: its predictions at the queries when clean; None where there is no clean cell.
        after: its predictions under the threat, drawn at the clean x, where they are scored.
        sentence: what the threat did to the error of this episode.
        alt: the picture in words.
    """

    name: str
    colour: int
    learner: str
    threat: str
    status: str
    function: Points
    support: Points
    given: Points
    before: Points | None
    after: Points
    sentence: str
    alt: str


def build_fits(rows: Sequence[Row], scored: Sequence[CellScores]) -> tuple[FitPicture, ...]:
    """The worst attack of each kind on each learner, where functions of one number are pictured."""
    cells = {cell.evidence.key: cell.evidence for cell in scored}
    seen = [row for row in rows if _is_drawable(cells[row.key])]
    learners = list(dict.fromkeys(row.learner for row in rows))
    pictures: list[FitPicture] = []
    for kind in KINDS:
        for colour, learner in enumerate(learners):
            own = [row for row in seen if row.learner == learner]
            row = worst(row for row in own if row.kind == kind)
            clean = next((cells[row.key] for row in own if row.kind == "clean"), None)
            if row is not None:
                name = f"fit-{len(pictures) + 1:02d}"
                pictures.append(_picture(name, colour, row, cells[row.key], clean))
    return tuple(pictures)


def _is_drawable(cell: CellEvidence) -> bool:
    """Whether its first episode is kept, and is of a function of one number."""
    return (
        "function_x" in cell.picture
        and cell.picture["function_x"].shape[1:] == (1,)
        and 0 in cell.arrays["number"]
    )


def _picture(
    name: str, colour: int, row: Row, cell: CellEvidence, clean: CellEvidence | None
) -> FitPicture:
    found = cell.picture
    function = _points(cell, found["function_x"], found["function_y"])
    after = _error(cell)
    before = "" if clean is None else f"{_error(clean):.3g} before, "
    words = f"Mean squared error of this episode: {before}{after:.3g} after."
    return FitPicture(
        name=name,
        colour=colour,
        learner=row.learner,
        threat=row.threat,
        status=row.status,
        function=function[np.argsort(function[:, 0], kind="stable")],
        support=_points(cell, found["support_clean"], found["support_values"]),
        given=_points(cell, found["support"], found["support_values"]),
        before=None if clean is None else _predictions(clean, found),
        after=_predictions(cell, found),
        sentence=words,
        alt=f"{row.learner} under {row.threat}: {PHRASES[row.kind]}. {words}",
    )


def _predictions(cell: CellEvidence, found: dict[str, npt.NDArray[Any]]) -> Points:
    return _points(cell, found["query_clean"], cell.arrays["logits"][_first(cell), :, 0])


def _points(cell: CellEvidence, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Points:
    """Inputs [n, 1] in [0, 1] and values [n] as points in the units of the data set."""
    info = cell.description["dataset"].get("info") or {}
    shown = info.get("offset", 0.0) + info.get("scale", 1.0) * x[:, 0].astype(np.float64)
    return np.stack([shown, y.astype(np.float64)], axis=1)


def _error(cell: CellEvidence) -> float:
    return float(episode_errors(cell)[_first(cell)])


def _first(cell: CellEvidence) -> int:
    """Where the episode of the picture, which is episode 0 of its stream, is in the evidence."""
    return int(np.flatnonzero(cell.arrays["number"] == 0)[0])
