"""The figure of what a learner says against how often it is right, clean and attacked."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from metarobust.report.drawing import MUTED, Drawing, draw, series_colour, shortened
from metarobust.report.fields import show_value
from metarobust.report.reliability import ReliabilityPanel, ReliabilitySide


def draw_reliability(panel: ReliabilityPanel, *, stamp: str = "") -> Drawing:
    """Diagrams side by side on shared axes; a bar is the gap between confidence and accuracy."""
    width = 0.75 + 2.0 * len(panel.sides)

    def paint(figure: Figure) -> None:
        margins = {"left": 0.6 / width, "right": 1 - 0.15 / width, "bottom": 0.16, "top": 0.82}
        axes = figure.subplots(
            1,
            len(panel.sides),
            sharex=True,
            sharey=True,
            squeeze=False,
            gridspec_kw={**margins, "wspace": 0.2},
        )[0]
        for ax, side in zip(axes, panel.sides, strict=True):
            _diagram(ax, side, series_colour(panel.colour))
        axes[0].set_ylabel("how often it is right")
        figure.suptitle(shortened(panel.learner, 60), x=0.6 / width, ha="left", fontsize=10)

    return draw(panel.name, panel.alt, (width, 3.0), paint, stamp=stamp)


def _diagram(axes: Axes, side: ReliabilitySide, colour: str) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    for entry in side.bins:
        ends = [entry.confidence, entry.accuracy]
        axes.plot([entry.confidence] * 2, ends, color=colour, alpha=0.3, linewidth=4.5)
    face = colour if side.status == "ok" else "none"
    axes.plot(
        [entry.confidence for entry in side.bins],
        [entry.accuracy for entry in side.bins],
        "o",
        color=colour,
        markerfacecolor=face,
        clip_on=False,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="how sure it says it is")
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    doubt = "" if side.status == "ok" else f" ({side.status})"
    axes.set_title(shortened(side.title, 28) + doubt, fontsize=8.5, pad=6)
    axes.annotate(
        f"ECE {show_value(side.ece.value, 'share')}",
        (0.04, 0.95),
        xycoords="axes fraction",
        va="top",
        color=MUTED,
        fontsize=8,
    )
