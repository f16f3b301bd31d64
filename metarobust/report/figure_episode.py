"""The picture of an attacked episode for print: images before, change and after, in rows."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metarobust.report.drawing import MUTED, Drawing, draw, shortened
from metarobust.report.pictures import EpisodePicture, Image, QueryTile, SupportTile, Tile
from metarobust.report.text import percent

_STEP = 1.1
"""Distance between images, in sides of an image."""

_INCHES = 0.62
"""Side of an image."""


def draw_episode(picture: EpisodePicture, *, stamp: str = "") -> Drawing:
    """Support images above, queries below; each a strip of clean, change and attacked images."""
    columns = max(len(picture.support), len(picture.queries))
    middle = _depth(picture.support) + 1.1
    bottom = middle + _depth(picture.queries) + 0.6

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        _strip(axes, "support", picture.support, 0.0)
        _strip(axes, "queries", picture.queries, middle)
        axes.set(xlim=(-1.5, columns * _STEP), ylim=(bottom, -0.5), aspect="equal")
        doubt = "" if picture.status == "ok" else f" ({picture.status})"
        axes.set_title(shortened(f"{picture.learner}, {picture.threat}", 64) + doubt, pad=4)
        axes.text(-1.5, bottom, picture.legend, fontsize=7, color=MUTED, va="center")

    size = (_INCHES * (columns * _STEP + 1.5), _INCHES * (bottom + 0.5) + 0.35)
    return draw(picture.name, picture.alt, size, paint, stamp=stamp)


def _changed(strip: Sequence[SupportTile | QueryTile]) -> bool:
    return any(entry.tile.change is not None for entry in strip)


def _depth(strip: Sequence[SupportTile | QueryTile]) -> float:
    return 2 * _STEP + 1 if _changed(strip) else 1.0


def _strip(axes: Axes, name: str, strip: Sequence[SupportTile | QueryTile], top: float) -> None:
    changed = _changed(strip)
    titles = ("clean", "change", "attacked") if changed else ("",)
    axes.text(-1.5, top + 0.5, name, va="center", fontsize=8)
    for row, title in enumerate(titles):
        place = (-0.12, top + row * _STEP + 0.5)
        axes.text(*place, title, ha="right", va="center", color=MUTED, fontsize=7)
    for column, entry in enumerate(strip):
        left = column * _STEP
        for row, image in enumerate(_images(entry.tile, changed)):
            if image is not None:
                upper = top + row * _STEP
                axes.imshow(
                    image, extent=(left, left + 1, upper + 1, upper), interpolation="nearest"
                )
        above = entry.given if isinstance(entry, SupportTile) else entry.true
        axes.text(left + 0.5, top - 0.06, above, ha="center", va="bottom", fontsize=7.5)
        below = top + _depth(strip) + 0.06
        axes.text(left + 0.5, below, _said(entry), ha="center", va="top", fontsize=6)


def _images(tile: Tile, changed: bool) -> list[Image | None]:
    return [tile.clean, tile.change, tile.attacked] if changed else [tile.attacked]


def _said(entry: SupportTile | QueryTile) -> str:
    if isinstance(entry, SupportTile):
        return "" if entry.given == entry.true else f"really {entry.true}"
    before = "" if entry.before is None else f"{entry.before.said} → "
    sure = "" if entry.after.confidence is None else f" {percent(entry.after.confidence, 0)}"
    return f"{before}{entry.after.said}{sure}"
