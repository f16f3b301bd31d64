"""The figure of errors against the share of queries answered."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from metarobust.report.drawing import DASHES, Drawing, draw, series_colour, shortened
from metarobust.report.risk_coverage import RiskCurve, RiskPanel
from metarobust.report.text import percent


def draw_risk(panel: RiskPanel, *, stamp: str = "") -> Drawing:
    """Clean solid, attacked dashed; a curve that does not fall to the left is confident in vain."""
    titles: dict[str, str] = {}

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.16, 0.17, 0.82, 0.63))
        for index, curve in enumerate(panel.curves):
            (line,) = axes.plot(
                curve.coverage,
                curve.risk,
                color=series_colour(panel.colour),
                linestyle=DASHES[int(curve.attacked)],
                label=shortened(curve.recipe, 40) + _doubt(curve),
            )
            line.set_gid(f"curve-{index}")
            titles[f"curve-{index}"] = (
                f"{curve.title}: {percent(curve.risk[-1])} of all answers wrong"
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share answered, surest first", ylabel="wrong")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0)
        axes.set_title(shortened(panel.learner, 48), pad=14 * len(panel.curves) + 6)

    return draw(panel.name, panel.alt, (3.7, 3.0), paint, stamp=stamp, titles=titles)


def _doubt(curve: RiskCurve) -> str:
    return "" if curve.status == "ok" else f" ({curve.status})"
