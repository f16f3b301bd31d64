"""The figure of accuracy by corruption and severity."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metarobust.report.drawing import MUTED, Drawing, draw, legible_on, shortened
from metarobust.report.fields import show_estimate, show_value
from metarobust.report.heat_maps import HeatCell, HeatMap

_ROW = 0.21
"""Height of a row in inches."""

_COLOURS = "rocket"


def draw_heat_map(found: HeatMap, *, stamp: str = "") -> Drawing:
    """Dark is wrong. Numbers are percent correct; italics say that a cell is to be doubted."""
    values = np.array([[_value(cell) for cell in row] for row in found.cells])
    height = 0.95 + _ROW * len(found.corruptions)
    titles: dict[str, str] = {}

    def paint(figure: Figure) -> None:
        from seaborn import heatmap

        axes = figure.add_axes((0.36, 0.45 / height, 0.62, 1 - 0.95 / height))
        heatmap(
            values,
            ax=axes,
            vmin=0.0,
            vmax=1.0,
            cmap=_COLOURS,
            cbar=False,
            linewidths=0.6,
            linecolor="white",
            xticklabels=[str(severity) for severity in found.severities],
            yticklabels=[shortened(name.replace("-", " "), 28) for name in found.corruptions],
        )
        axes.tick_params(axis="y", labelsize=8, labelrotation=0)
        axes.grid(visible=False)
        clean = show_value(found.clean.value, "share")
        axes.set(xlabel=f"severity (clean: {clean})")
        axes.set_title(
            shortened(f"{found.learner}, {found.surface} corrupted", 44), x=-0.55, fontsize=9.5
        )
        for y, (name, row) in enumerate(zip(found.corruptions, found.cells, strict=True)):
            for x, (severity, cell) in enumerate(zip(found.severities, row, strict=True)):
                key = f"cell-{y}-{x}"
                titles[key] = _words(name, severity, cell)
                _label(axes, (x + 0.5, y + 0.5), cell, key)

    return draw(found.name, found.alt, (3.7, height), paint, stamp=stamp, titles=titles)


def _value(cell: HeatCell | None) -> float:
    return np.nan if cell is None or cell.accuracy.value is None else cell.accuracy.value


def _label(axes: Axes, place: tuple[float, float], cell: HeatCell | None, key: str) -> None:
    value = _value(cell)
    known = not np.isnan(value)
    text = axes.text(
        *place,
        f"{100 * value:.0f}" if known else "-",
        ha="center",
        va="center",
        fontsize=7.5,
        color=legible_on(mpl.colormaps[_COLOURS](value)) if known else MUTED,
        style="normal" if cell is None or cell.status == "ok" else "italic",
    )
    text.set_gid(key)


def _words(name: str, severity: int, cell: HeatCell | None) -> str:
    if cell is None:
        return f"{name}, severity {severity}: not in this audit"
    if cell.accuracy.value is None:
        return f"{name}, severity {severity}: {cell.accuracy.reason}"
    doubt = "" if cell.status == "ok" else f" ({cell.status})"
    return f"{name}, severity {severity}: {show_estimate(cell.accuracy, 'share')}{doubt}"
