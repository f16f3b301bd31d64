"""Every figure of a report, drawn."""

from metarobust.report.drawing import Drawing
from metarobust.report.figure_curves import draw_curves
from metarobust.report.figure_episode import draw_episode
from metarobust.report.figure_fit import draw_fit
from metarobust.report.figure_heat_map import draw_heat_map
from metarobust.report.figure_reliability import draw_reliability
from metarobust.report.figure_risk import draw_risk
from metarobust.report.model import ReportModel


def draw_figures(model: ReportModel) -> tuple[Drawing, ...]:
    """The figures of a report in reading order; a limited run is stamped on each."""
    stamp = "limited run" if model.limited else ""
    return (
        *(draw_curves(panel, stamp=stamp) for panel in model.curves),
        *(draw_heat_map(found, stamp=stamp) for found in model.heat_maps),
        *(draw_curves(panel.figure, stamp=stamp) for panel in model.adaptation),
        *(draw_reliability(panel, stamp=stamp) for panel in model.reliability),
        *(draw_risk(panel, stamp=stamp) for panel in model.risk),
        *(draw_episode(picture, stamp=stamp) for picture in model.pictures),
        *(draw_fit(picture, stamp=stamp) for picture in model.fits),
    )
