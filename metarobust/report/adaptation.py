"""Adaptation curves as a report shows them: every score against inner steps and against shots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from metarobust.audit.adaptation import AXES
from metarobust.audit.checks import Verdict
from metarobust.audit.scores import CellScores
from metarobust.config.aspects import CurveAxis
from metarobust.report.curves import (
    Curve,
    CurvePanel,
    CurvePoint,
    axis_label,
    guessing,
    in_words,
)
from metarobust.report.rows import Row, build_rows
from metarobust.report.text import plain, sentence


@dataclass(frozen=True)
class AdaptationPoint:
    """One cell at one point of an axis.

    Attributes:
        value: inner steps, or shots.
        own: whether it is a cell of the audit itself, and not of the curve alone.
        row: the cell.
    """

    value: int
    own: bool
    row: Row


@dataclass(frozen=True)
class AdaptationPanel:
    """One axis.

    Attributes:
        axis: what was changed.
        figure: accuracy, or the error of a regression, against it.
        points: every cell on it: by learner, threat and value.
    """

    axis: CurveAxis
    figure: CurvePanel
    points: tuple[AdaptationPoint, ...]


def build_adaptation(
    cells: Sequence[CellScores],
    curves: Sequence[CellScores],
    verdicts: Mapping[str, Verdict],
) -> tuple[AdaptationPanel, ...]:
    """One panel for each axis that has a curve.

    Args:
        cells: the audit's own cells; each followed threat's is a point of the curve too.
        curves: the cells of the curves alone.
        verdicts: the verdict of every cell by its key.
    """
    learners = list(dict.fromkeys(row.learner for row in build_rows(cells, verdicts)))
    panels: list[AdaptationPanel] = []
    for axis in AXES:
        there = [c for c in curves if c.evidence.description["adaptation"]["axis"] == axis]
        if there:
            points = _points(axis, cells, there, verdicts, learners)
            lacking = _without(axis, cells)
            figure = _figure(len(panels) + 1, axis, points, learners, lacking)
            panels.append(AdaptationPanel(axis, figure, points))
    return tuple(panels)


def _points(
    axis: CurveAxis,
    cells: Sequence[CellScores],
    curve: Sequence[CellScores],
    verdicts: Mapping[str, Verdict],
    learners: Sequence[str],
) -> tuple[AdaptationPoint, ...]:
    marked = [(c, int(c.evidence.description["adaptation"]["value"]), False) for c in curve]
    followed = {_who(cell) for cell in curve}
    for cell in cells:
        value = cell.evidence.description.get("own_point", {}).get(axis)
        if value is not None and _who(cell) in followed:
            marked.append((cell, int(value), True))
    rows = build_rows([cell for cell, _, _ in marked], verdicts)
    points = [
        AdaptationPoint(value, own, replace(row, best=False))
        for row, (_, value, own) in zip(rows, marked, strict=True)
    ]
    threats = list(dict.fromkeys(point.row.threat for point in points))

    def place(point: AdaptationPoint) -> tuple[int, int, int]:
        row = point.row
        return learners.index(row.learner), threats.index(row.threat), point.value

    return tuple(sorted(points, key=place))


def _who(cell: CellScores) -> tuple[str, str]:
    about = cell.evidence.description
    return about["learner"]["label"], about["threat"]["label"]


def _without(axis: CurveAxis, cells: Sequence[CellScores]) -> list[str]:
    """The learners that have nothing to vary on an axis, in words."""
    found = []
    for cell in cells:
        about = cell.evidence.description
        if about.get("own_point", {}).get(axis, 0) is None:
            found.append(f"{plain(about['learner']['label'], 80)} has no {axis.replace('_', ' ')}")
    return list(dict.fromkeys(found))


def _figure(
    number: int,
    axis: CurveAxis,
    points: Sequence[AdaptationPoint],
    learners: Sequence[str],
    lacking: Sequence[str],
) -> CurvePanel:
    threats = list(dict.fromkeys(point.row.threat for point in points))
    lines: dict[tuple[str, str], list[CurvePoint]] = {}
    missing = list(lacking)
    for point in points:
        row = point.row
        line = lines.setdefault((row.learner, row.threat), [])
        score = row.scores[row.lead.key]
        if score.value is None:
            missing.append(f"{row.learner}, {row.threat}, {point.value}: {score.reason}")
        else:
            line.append(CurvePoint(float(point.value), score, row.status))
    names = list(dict.fromkeys(point.row.name for point in points))
    series = names if len(names) == len(threats) else threats
    curves = tuple(
        Curve(learner, series[dash], learners.index(learner), dash, tuple(line))
        for (learner, threat), line in lines.items()
        for dash in (threats.index(threat),)
    )
    measure = points[0].row.lead
    x_label = axis_label(axis, measure)
    return CurvePanel(
        name=f"adaptation-{number:02d}-{axis.replace('_', '-')}",
        axis=axis,
        measure=measure,
        title=sentence(x_label),
        x_label=x_label,
        chance=guessing(points[0].row),
        curves=curves,
        missing=tuple(missing),
        alt=f"{measure.title} against {x_label}. {in_words(curves, measure)}",
    )
