"""The figure of a score against the strength of a threat, with bands for the intervals."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation

from metarobust.audit.measure import Unit
from metarobust.report.curves import Curve, CurvePanel
from metarobust.report.drawing import (
    DASHES,
    INK,
    MARKERS,
    MUTED,
    Drawing,
    draw,
    series_colour,
    shortened,
)
from metarobust.report.fields import show_estimate

_LINE = 12.5
"""Height of a line of the legend in points."""


def draw_curves(panel: CurvePanel, *, stamp: str = "") -> Drawing:
    """One panel: colour says the learner, dash and marker say the threat, hollow says doubtful."""
    titles: dict[str, str] = {}

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.12, 0.16, 0.86, 0.62))
        for index, curve in enumerate(panel.curves):
            titles.update(_line(axes, curve, f"curve-{index}", panel.measure.unit))
        if panel.chance is not None:
            _guessing(axes, panel.chance)
        axes.set_xlabel(panel.x_label)
        if panel.measure.unit == "share":
            axes.set_ylim(0, 1.02)
            axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        else:
            axes.set_ylim(bottom=0)
            axes.set_ylabel(panel.measure.title)
        whole = panel.axis in ("severity", "inner_steps", "shots")
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=whole))
        axes.xaxis.set_major_formatter(
            PercentFormatter(1, decimals=0)
            if panel.axis == "fraction"
            else FormatStrFormatter("%g")
        )
        height = 5.0
        for handles in reversed(_legend_lines(panel)):
            _legend(figure, axes, handles, height)
            height += _LINE
        axes.set_title(shortened(panel.title, 52), pad=height + 6)

    return draw(panel.name, panel.alt, (3.7, 3.0), paint, stamp=stamp, titles=titles)


def _line(axes: Axes, curve: Curve, key: str, unit: Unit) -> dict[str, str]:
    """Draw a line; what its points say in words, by the id of each."""
    colour = series_colour(curve.colour)
    dash, marker = DASHES[curve.dash % len(DASHES)], MARKERS[curve.dash % len(MARKERS)]
    known = [(p.x, p.score.value or 0.0) for p in curve.points]
    axes.plot([x for x, _ in known], [y for _, y in known], color=colour, linestyle=dash)
    titles = {}
    for index, point in enumerate(curve.points):
        face = colour if point.status == "ok" else "none"
        (mark,) = axes.plot(
            [point.x],
            [point.score.value or 0.0],
            marker,
            color=colour,
            markerfacecolor=face,
            clip_on=False,
        )
        mark.set_gid(f"{key}-{index}")
        who = " ".join(filter(None, (curve.learner, curve.series)))
        doubt = "" if point.status == "ok" else f" ({point.status})"
        words = show_estimate(point.score, unit)
        titles[f"{key}-{index}"] = f"{who} at {point.x:.4g}: {words}{doubt}"
    band = [
        (p.x, p.score.low, p.score.high)
        for p in curve.points
        if p.score.low is not None and p.score.high is not None
    ]
    if band:
        strengths, lows, highs = zip(*band, strict=True)
        axes.fill_between(strengths, lows, highs, color=colour, alpha=0.14, linewidth=0)
    return titles


def _guessing(axes: Axes, chance: float) -> None:
    axes.axhline(chance, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.annotate(
        "guessing",
        (0, chance),
        xycoords=("axes fraction", "data"),
        xytext=(2, 2),
        textcoords="offset points",
        color=MUTED,
        fontsize=7.5,
    )


def _legend_lines(panel: CurvePanel) -> list[list[Line2D]]:
    """Handles line by line: learners by colour, then threats by dash, then what hollow means."""
    learners = {curve.learner: curve.colour for curve in panel.curves}
    threats = {curve.series: curve.dash for curve in panel.curves if curve.series}
    groups = [
        [
            Line2D([], [], color=series_colour(colour), linewidth=3, label=shortened(name, 22))
            for name, colour in learners.items()
        ],
        [
            Line2D(
                [],
                [],
                color=INK,
                linewidth=1.2,
                linestyle=DASHES[dash % len(DASHES)],
                marker=MARKERS[dash % len(MARKERS)],
                label=shortened(name, 30),
            )
            for name, dash in threats.items()
        ],
    ]
    if any(point.status != "ok" for curve in panel.curves for point in curve.points):
        hollow = Line2D([], [], color=MUTED, marker="o", markerfacecolor="none", linestyle="none")
        hollow.set_label("suspect or incomplete")
        groups.append([hollow])
    return [line for handles in groups for line in _broken(handles)]


def _broken(handles: list[Line2D], most: int = 38) -> list[list[Line2D]]:
    """Handles broken into lines that fit the width of a panel."""
    lines: list[list[Line2D]] = []
    room = 0
    for handle in handles:
        length = len(str(handle.get_label())) + 6
        if length > room:
            lines.append([])
            room = most
        lines[-1].append(handle)
        room -= length
    return lines


def _legend(figure: Figure, axes: Axes, handles: list[Line2D], height: float) -> None:
    lift = ScaledTranslation(0, height / 72, figure.dpi_scale_trans)
    legend = Legend(
        axes,
        handles,
        [str(handle.get_label()) for handle in handles],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        bbox_transform=axes.transAxes + lift,
        ncols=len(handles),
        borderpad=0,
        borderaxespad=0,
        columnspacing=1.3,
        handletextpad=0.5,
        handlelength=2.4 if handles[0].get_marker() != "None" else 1.0,
    )
    axes.add_artist(legend)
