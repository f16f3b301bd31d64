"""A contact sheet of an episode: what the learner is shown, and what it is asked."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from metarobust.core.episode import Episode
from metarobust.core.errors import DataError

_PAPER, _TEXT, _GAP = (255, 255, 255), (40, 40, 40), 4
_LABEL_WIDTH, _HEADER, _MARGIN = 220, 24, 8
_MOST = 10


def contact_sheet(episode: Episode, class_names: Sequence[str], *, tile: int = 56) -> bytes:
    """One row per class: its name, its support images, its queries.

    Args:
        episode: one episode of pictures, values in [0, 1], 1 or 3 channels.
        class_names: names by global class id, printed as plain text whatever they hold; long
            names are shortened.
        tile: height and width of a picture on the sheet; at most ten of a class are shown.

    Returns:
        The bytes of a PNG file.

    Raises:
        DataError: the inputs are not pictures of 1 or 3 channels.
    """
    if episode.query_x.ndim != 4 or episode.query_x.shape[1] not in (1, 3):
        raise DataError(
            f"contact sheet: expected pictures [n, 1 or 3, H, W], got {list(episode.query_x.shape)}"
        )
    ways = episode.ways
    shots = min(len(episode.support_y) // ways, _MOST)
    queries = min(len(episode.query_y) // ways, _MOST)
    step = tile + _GAP
    query_left = _LABEL_WIDTH + shots * step + 4 * _GAP
    sheet = Image.new(
        "RGB", (query_left + queries * step + _MARGIN, _HEADER + ways * step + _MARGIN), _PAPER
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf",
        12,
        layout_engine=ImageFont.Layout.BASIC,
    )
    pen.text((_MARGIN, 5), f"episode {int(episode.number)}", _TEXT, font)
    pen.text((_LABEL_WIDTH, 5), "support", _TEXT, font)
    pen.text((query_left, 5), "queries", _TEXT, font)
    for label, c in enumerate(episode.class_ids.tolist()):
        top = _HEADER + label * step
        name = _fitting(class_names[c], font, _LABEL_WIDTH - 2 * _MARGIN)
        pen.text((_MARGIN, top + tile // 2 - 7), name, _TEXT, font)
        for left, x, y, count in (
            (_LABEL_WIDTH, episode.support_x, episode.support_y, shots),
            (query_left, episode.query_x, episode.query_y, queries),
        ):
            for place, image in enumerate(x[y == label][:count]):
                sheet.paste(_picture(image, tile), (left + place * step, top))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _picture(image: Tensor, tile: int) -> Image.Image:
    pixels: npt.NDArray[np.uint8] = (image.clamp(0, 1) * 255).round().byte().cpu().numpy()
    colour = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(colour))
    return picture.resize((tile, tile), Image.Resampling.NEAREST)


def _fitting(name: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The name in one line of printable characters, shortened to a width in pixels."""
    line = "".join(character if character.isprintable() else " " for character in name[:200])
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"
