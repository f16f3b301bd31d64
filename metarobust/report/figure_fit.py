"""The picture of an attacked regression: the function, the points given, predictions and errors."""

from matplotlib.figure import Figure

from metarobust.report.drawing import INK, MUTED, Drawing, draw, series_colour, shortened
from metarobust.report.fits import FitPicture


def draw_fit(picture: FitPicture, *, stamp: str = "") -> Drawing:
    """Squares are support points, hollow where one was moved from; dots are predictions."""

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.12, 0.16, 0.86, 0.58))
        colour = series_colour(picture.colour)
        axes.plot(*picture.function.T, color=MUTED, linewidth=1.2, label="function")
        if (picture.support != picture.given).any():
            axes.plot(*picture.support.T, "s", color=INK, markerfacecolor="none", markersize=4,
                      linestyle="none", label="support, clean")  # fmt: skip
            for clean, moved in zip(picture.support, picture.given, strict=True):
                axes.plot([clean[0], moved[0]], [clean[1], moved[1]], color=INK, linewidth=0.8)
        axes.plot(*picture.given.T, "s", color=INK, markersize=4, linestyle="none", label="support")
        if picture.before is not None:
            for clean, moved in zip(picture.before, picture.after, strict=True):
                axes.plot([clean[0], moved[0]], [clean[1], moved[1]], color=colour, linewidth=0.8)
            axes.plot(*picture.before.T, "o", color=colour, markerfacecolor="none",
                      linestyle="none", label="predicted, clean")  # fmt: skip
        axes.plot(*picture.after.T, "o", color=colour, linestyle="none", label="under the threat")
        axes.set(xlabel="x", ylabel="y")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderpad=0,
                    handlelength=1.4, columnspacing=1.1, fontsize=7)  # fmt: skip
        doubt = "" if picture.status == "ok" else f" ({picture.status})"
        axes.set_title(shortened(f"{picture.learner}, {picture.threat}", 48) + doubt, pad=30)

    return draw(picture.name, picture.alt, (3.7, 3.0), paint, stamp=stamp)
