"""The figure of how often prediction sets hold the true class, against how large they are."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from metarobust.audit.kinds import Kind
from metarobust.report.drawing import MARKERS, MUTED, Drawing, draw, series_colour, shortened
from metarobust.report.fields import show_estimate
from metarobust.report.headline import TITLES
from metarobust.report.set_sizes import SetPanel, SetPoint
from metarobust.report.text import percent

_COLUMNS = 3
_MARKERS: dict[Kind, str] = dict(zip(TITLES, (*MARKERS, "*"), strict=True))


def draw_sets(panel: SetPanel, *, stamp: str = "") -> Drawing:
    """One mark a cell: its shape says the kind of threat, hollow says doubtful.

    Below the line the sets break their promise; to the right they say less.
    """
    titles: dict[str, str] = {}

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.16, 0.17, 0.82, 0.63))
        colour = series_colour(panel.colour)
        for index, point in enumerate(panel.points):
            titles[f"point-{index}"] = _mark(axes, point, colour, f"point-{index}")
        _promise(axes, panel.promised)
        axes.set(
            xlim=(0, 1.05 * max(panel.largest, 1.0)), ylim=(0, 1.02), ylabel="hold the true class"
        )
        axes.set_xlabel(f"classes named{f', of {panel.ways}' if panel.ways else ''} (mean)")
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        kinds = list(dict.fromkeys(point.kind for point in panel.points))
        for kind in kinds:
            axes.plot([], [], _MARKERS[kind], color=colour, linestyle="none", label=TITLES[kind])
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.17, 1.0),
            ncols=_COLUMNS,
            borderpad=0,
            handlelength=1.0,
            columnspacing=1.0,
            handletextpad=0.4,
        )
        lines = -(-len(kinds) // _COLUMNS)
        axes.set_title(shortened(panel.learner, 48), pad=14 * lines + 6)

    return draw(panel.name, panel.alt, (3.7, 3.0), paint, stamp=stamp, titles=titles)


def _mark(axes: Axes, point: SetPoint, colour: str, key: str) -> str:
    """Draw a cell with its interval of coverage; what it says in words."""
    size, coverage = point.size.value or 0.0, point.coverage.value or 0.0
    if point.coverage.low is not None and point.coverage.high is not None:
        ends = (point.coverage.low, point.coverage.high)
        axes.plot([size, size], ends, color=colour, alpha=0.3, linewidth=1.2)
    (mark,) = axes.plot(
        [size],
        [coverage],
        _MARKERS[point.kind],
        color=colour,
        markerfacecolor=colour if point.status == "ok" else "none",
        clip_on=False,
    )
    mark.set_gid(key)
    doubt = "" if point.status == "ok" else f" ({point.status})"
    return (
        f"{point.threat}: {show_estimate(point.coverage, 'share')} hold the true class, "
        f"{show_estimate(point.size, 'number')} classes{doubt}"
    )


def _promise(axes: Axes, promised: float) -> None:
    axes.axhline(promised, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.annotate(
        f"promised: {percent(promised, 0)}",
        (1, promised),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=7.5,
    )
