"""Scores against the strength of a threat: one panel per surface and family of threats."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from metarobust.audit.measure import Measure
from metarobust.audit.regression_scores import MSE
from metarobust.report.fields import show_value
from metarobust.report.rows import Budget, Row
from metarobust.report.text import NORMS, percent, sentence, slug
from metarobust.stats.estimate import Estimate

Axis = Literal["eps", "severity", "fraction", "inner_steps", "shots"]

AXIS_LABELS: dict[Axis, str] = {
    "eps": "perturbation bound ε (pixels in [0, 1])",
    "severity": "severity (0 is clean)",
    "fraction": "share of wrong support labels",
    "inner_steps": "steps of the inner loop",
    "shots": "support images per class",
}
_OF_FUNCTIONS: dict[Axis, str] = {
    "eps": "perturbation bound ε (the range of x is 1)",
    "shots": "support points",
}


@dataclass(frozen=True)
class CurvePoint:
    """The score at one strength; `status` is the verdict of its cell."""

    x: float
    score: Estimate
    status: str


@dataclass(frozen=True)
class Curve:
    """One line: a learner under one threat of growing strength, the clean score at 0.

    Attributes:
        learner: the learner's label.
        series: the threat's label within the panel; empty if the panel has one threat.
        colour: index of the learner, the same in every figure.
        dash: index of the threat within the panel.
        points: by strength; a point without a score is in `CurvePanel.missing` instead.
    """

    learner: str
    series: str
    colour: int
    dash: int
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class CurvePanel:
    """One pair of axes.

    Attributes:
        name: file name stem of its figure.
        axis: what the x axis measures.
        measure: what the y axis measures.
        title: a heading.
        x_label: the x axis in words.
        chance: accuracy of guessing, or None if unknown, and where values are not guessed.
        curves: the lines.
        missing: points that could not be drawn, with the reason.
        alt: the figure in words.
    """

    name: str
    axis: Axis
    measure: Measure
    title: str
    x_label: str
    chance: float | None
    curves: tuple[Curve, ...]
    missing: tuple[str, ...]
    alt: str


def build_curves(rows: Sequence[Row]) -> tuple[CurvePanel, ...]:
    """Every panel the rows allow: eps first, then severity, then share of wrong labels."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        axis = axis_of(row.budget)
        if axis is not None:
            groups.setdefault(_panel_key(axis, row.budget), []).append(row)
    order = list(AXIS_LABELS)
    keys = sorted(groups, key=lambda key: order.index(axis_of(groups[key][0].budget) or "eps"))
    return tuple(_panel(number, groups[key], rows) for number, key in enumerate(keys, 1))


def axis_label(axis: Axis, measure: Measure) -> str:
    """The x axis of a panel in words."""
    return {**AXIS_LABELS, **(_OF_FUNCTIONS if measure == MSE else {})}[axis]


def guessing(row: Row) -> float | None:
    """The accuracy of a random answer; None if it is unknown, and for values."""
    return 1 / row.ways if row.ways and row.lead.unit == "share" else None


def axis_of(budget: Budget) -> Axis | None:
    """The number that says how strong this threat is, or None if it has none."""
    axes: tuple[Axis, ...] = ("severity", "fraction", "eps")
    return next((axis for axis in axes if getattr(budget, axis) is not None), None)


def _panel_key(axis: Axis, budget: Budget) -> tuple[str, ...]:
    surface = budget.surface or ""
    if axis == "eps":
        return (axis, surface, budget.norm or "")
    if axis == "severity":
        return (axis, surface, budget.engine or "", budget.table or "")
    return (axis, surface)


def _panel(number: int, members: Sequence[Row], rows: Sequence[Row]) -> CurvePanel:
    first = members[0]
    axis, measure = axis_of(first.budget) or "eps", first.lead
    learners = list(dict.fromkeys(row.learner for row in rows))
    series = _series(members, axis)
    curves, missing = [], []
    for dash, (label, group) in enumerate(series.items()):
        for learner in dict.fromkeys(row.learner for row in group):
            own = [row for row in group if row.learner == learner]
            points, lost = _points(own, [r for r in rows if r.learner == learner], axis)
            missing += lost
            shown = label if len(series) > 1 else ""
            curves.append(Curve(learner, shown, learners.index(learner), dash, points))
    title, x_label = _title(axis, first.budget), axis_label(axis, measure)
    alt = f"{measure.title} against {x_label}. {title}. {in_words(curves, measure)}"
    return CurvePanel(
        name=f"{measure.key}-{number:02d}-{slug('-'.join(_panel_key(axis, first.budget)))}",
        axis=axis,
        measure=measure,
        title=title,
        x_label=x_label,
        chance=guessing(first),
        curves=tuple(curves),
        missing=tuple(missing),
        alt=alt.strip(),
    )


def _points(
    own: Sequence[Row], of_learner: Sequence[Row], axis: Axis
) -> tuple[tuple[CurvePoint, ...], list[str]]:
    points, lost = [], []
    for row in [*(r for r in of_learner if r.kind == "clean"), *own]:
        x = 0.0 if row.kind == "clean" else float(getattr(row.budget, axis))
        score = row.scores[row.lead.key]
        if score.value is None:
            lost.append(f"{row.learner}, {row.threat}: {score.reason}")
        else:
            points.append(CurvePoint(x, score, row.status))
    return tuple(sorted(points, key=lambda point: point.x)), lost


def _series(members: Sequence[Row], axis: Axis) -> dict[str, list[Row]]:
    """The threats of a panel by a label that tells them apart."""
    groups: dict[Budget, list[Row]] = {}
    for row in members:
        still: Budget = replace(row.budget, **{axis: None})
        groups.setdefault(still, []).append(row)
    named: dict[str, list[Row]] = {}
    for budget, group in groups.items():
        rivals = [other for other in groups if other.engine == budget.engine]
        label = " ".join([budget.engine or "?", *_differences(budget, rivals)])
        strengths = {(row.learner, getattr(row.budget, axis)) for row in group}
        for row in group:
            own = label if len(strengths) == len(group) else row.name
            named.setdefault(own.removeprefix("corruption:"), []).append(row)
    return named


def _differences(budget: Budget, rivals: Sequence[Budget]) -> list[str]:
    """What sets a budget apart from others of the same engine, in words."""
    words = []
    for field in fields(budget):
        value = getattr(budget, field.name)
        if value and any(getattr(rival, field.name) != value for rival in rivals):
            name = field.name.replace("_", " ")
            shown = percent(value, 0) if "fraction" in name else value
            words.append(name if value is True else f"{shown} {name}")
    return words


def _title(axis: Axis, budget: Budget) -> str:
    surface = {
        "query": "queries",
        "support": "support set",
        "both": "support set and queries",
    }.get(budget.surface or "", budget.surface or "episode")
    if axis == "eps":
        return f"{sentence(surface)} perturbed, {NORMS.get(budget.norm or '', budget.norm or '')}"
    if axis == "severity":
        kind = (budget.engine or "corruption").removeprefix("corruption:").replace("-", " ")
        return f"{sentence(kind)} on the {surface}"
    return "Wrong labels in the support set"


def in_words(curves: Sequence[Curve], measure: Measure) -> str:
    """The lines of a figure, each in a sentence: where it starts and where it ends."""
    return " ".join(_line_in_words(curve, measure) for curve in curves)


def _line_in_words(curve: Curve, measure: Measure) -> str:
    who = f"{curve.learner}, {curve.series}" if curve.series else curve.learner
    if not curve.points:
        return f"{who}: no values."
    first, last = curve.points[0], curve.points[-1]
    start, end = (_shown(point.score.value or 0.0, measure) for point in (first, last))
    return f"{who}: {start} at {first.x:.4g}, {end} at {last.x:.4g}."


def _shown(value: float, measure: Measure) -> str:
    return percent(value, 0) if measure.unit == "share" else show_value(value, measure.unit)
