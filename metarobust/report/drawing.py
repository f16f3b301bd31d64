"""How a figure becomes SVG and PDF: one style, the same bytes every time, no figure left behind."""

import io
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1c2129", "#667181", "#d9dee5"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#b0568a", "#8a6d00", "#50808e")
"""Colours that colour-blind readers tell apart (after Okabe and Ito), one per learner."""

DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 2)),
    (0, (1.2, 1.6)),
    (0, (7, 2, 1.5, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_STYLE: Any = {
    "svg.hashsalt": "metarobust",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 2.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Drawing:
    """A figure as files hold it.

    Attributes:
        name: file name stem.
        alt: the figure in words.
        svg: an SVG document whose text is text.
        pdf: a PDF document with TrueType fonts, as submission systems ask for.

    A browser shows the words of an artist's `titles` entry when the pointer rests on it.
    """

    name: str
    alt: str
    svg: str
    pdf: bytes

    @property
    def inline(self) -> str:
        """The SVG as an HTML element: the page's own colours, unique ids, no outside address.

        Its marker, clip and colour references are prefixed with the figure's name, so that many
        figures fit on one page; ink becomes the page's text colour, so that it turns light on a
        dark page.
        """
        body = self.svg[self.svg.index("<svg") :]
        body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
        body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body)
        body = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{self.name}-", body)
        body = body.replace("xlink:href", "href")
        colours = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--line)"}
        colours |= {colour: f"var(--series-{i})" for i, colour in enumerate(SERIES)}
        return re.sub(
            r"(?<=[:\s])#[0-9a-f]{6}\b", lambda found: colours.get(found[0], found[0]), body
        )


def draw(
    name: str,
    alt: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
    *,
    stamp: str = "",
    titles: Mapping[str, str] | None = None,
) -> Drawing:
    """Paint a figure in the house style and save it.

    Args:
        name: file name stem.
        alt: the figure in words.
        size: width and height in inches, before the margins are cut to what was drawn.
        paint: draws on an empty figure, which nobody else keeps.
        stamp: small print in the lower right corner.
        titles: words by the `gid` of an artist; `paint` may still fill it.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A class name may hold a character that no font here has: a box is drawn in its place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size)
        paint(figure)
        if stamp:
            figure.text(1, 0, stamp, ha="right", va="bottom", fontsize=7, color=MUTED)
        svg, pdf = io.BytesIO(), io.BytesIO()
        for target, dates in ((svg, ("Date", "Creator")), (pdf, ("CreationDate",))):
            figure.savefig(
                target,
                format="svg" if target is svg else "pdf",
                metadata=dict.fromkeys(dates),
                bbox_inches="tight",
                pad_inches=0.04,
            )
    document = _with_titles(svg.getvalue().decode(), titles or {})
    return Drawing(name, alt, document, pdf.getvalue())


def _with_titles(svg: str, titles: Mapping[str, str]) -> str:
    """The document with a `<title>` in each group that has one, which browsers show as a hint."""

    def titled(found: re.Match[str]) -> str:
        words = titles.get(found[1])
        return found[0] if words is None else f"{found[0]}<title>{escape(words)}</title>"

    return re.sub(r'<g id="([^"]+)">', titled, svg)


def series_colour(index: int) -> str:
    """The colour of a learner by its place in the report."""
    return SERIES[index % len(SERIES)]


def legible_on(fill: tuple[float, float, float, float]) -> str:
    """Black or white: whichever has the larger contrast (WCAG 2.2) with a fill (R, G, B, A).

    The fill is opaque, its channels in [0, 1]. Neither is a colour of the page, so both stay as
    they are on a dark one.
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in fill[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def shortened(text: str, most: int) -> str:
    """The text, cut to `most` characters with an ellipsis where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
