"""The typefaces that matplotlib ships: which letters they hold, and how one letter is drawn."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from metarobust.data.base import Images

FACES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralItalic",
)
CANVAS = 28
BOX = 20.0

_EM = 128
_OVERSAMPLING = 4
_PADDING = 2
_LETTERS = ("Lu", "Ll", "Lt", "Lo")


@dataclass(frozen=True)
class Pose:
    """How a letter lies on its canvas.

    Attributes:
        scale: size relative to a longer side of 20 pixels.
        rotation: counter-clockwise turn in radians.
        shear: horizontal shift per unit of height.
        right: shift in [-1, 1] of the room that is left, at most `room` pixels.
        down: likewise, downwards.
        room: most pixels of shift; less where the letter would leave no pixel to the border.
    """

    scale: float = 1.0
    rotation: float = 0.0
    shear: float = 0.0
    right: float = 0.0
    down: float = 0.0
    room: float = 0.0


class Typeface:
    """One face: the characters it has a glyph for, and their ink."""

    def __init__(self, name: str) -> None:
        path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
        # Glyph 0 is .notdef, the box that stands for a missing character.
        self._glyphs = {code for code, glyph in FT2Font(str(path)).get_charmap().items() if glyph}
        # The basic layout is the one that every build of Pillow has.
        self._font = ImageFont.truetype(str(path), _EM, layout_engine=ImageFont.Layout.BASIC)

    def __contains__(self, character: str) -> bool:
        return ord(character) in self._glyphs

    @property
    def characters(self) -> frozenset[str]:
        """Every character that has a glyph of its own."""
        return frozenset(map(chr, self._glyphs))

    def ink(self, character: str) -> Image.Image | None:
        """The glyph cropped to its ink, grey, at 128 pixels to the em; None if it has no ink."""
        left, top, right, bottom = (round(edge) for edge in self._font.getbbox(character))
        size = (right - left + 2 * _PADDING, bottom - top + 2 * _PADDING)
        page = Image.new("L", size)
        origin = (_PADDING - left, _PADDING - top)
        ImageDraw.Draw(page).text(origin, character, fill=255, font=self._font)
        box = page.getbbox()
        return None if box is None else page.crop(box)


def letters(faces: Sequence[Typeface], scripts: Sequence[str], least: int) -> dict[str, list[str]]:
    """Letters of each script that at least `least` faces hold, in code-point order.

    A letter is upper, lower, title or caseless (Unicode categories Lu, Ll, Lt, Lo; not modifier
    letters) without a decomposition, so that accented forms are left out. Its script is the first
    word of its Unicode name.
    """
    counts: dict[str, int] = {}
    for face in faces:
        for character in face.characters:
            counts[character] = counts.get(character, 0) + 1
    found: dict[str, list[str]] = {script: [] for script in scripts}
    for character in sorted(counts):
        script = unicodedata.name(character, "?").split()[0].capitalize()
        if (
            script in found
            and counts[character] >= least
            and unicodedata.category(character) in _LETTERS
            and not unicodedata.decomposition(character)
        ):
            found[script].append(character)
    return found


def draw(ink: Image.Image, pose: Pose) -> Images:
    """One letter on its canvas, uint8 [28, 28], ink 255 on 0.

    The centre of the ink's bounding box goes to the centre of the canvas, its longer side is 20
    pixels long before the pose (the layout of MNIST), and no shift brings it to the border.
    """
    width, height = ink.size
    factor = BOX / max(width, height) * pose.scale
    cos, sin = math.cos(pose.rotation), math.sin(pose.rotation)
    # Forward map of the centred ink: shear, turn, scale; y points down.
    a, b = cos * factor, (sin - cos * pose.shear) * factor
    c, d = -sin * factor, (cos + sin * pose.shear) * factor
    half_width = (abs(a) * width + abs(b) * height) / 2
    half_height = (abs(c) * width + abs(d) * height) / 2
    right = pose.right * min(pose.room, max(0.0, CANVAS / 2 - 1 - half_width))
    down = pose.down * min(pose.room, max(0.0, CANVAS / 2 - 1 - half_height))
    side = CANVAS * _OVERSAMPLING
    determinant = (a * d - b * c) * _OVERSAMPLING
    inverse = (d / determinant, -b / determinant, -c / determinant, a / determinant)
    x, y = side / 2 + right * _OVERSAMPLING, side / 2 + down * _OVERSAMPLING
    padded = Image.new("L", (width + 2 * _PADDING, height + 2 * _PADDING))
    padded.paste(ink, (_PADDING, _PADDING))
    centre_x, centre_y = padded.width / 2, padded.height / 2
    coefficients = (
        inverse[0],
        inverse[1],
        centre_x - inverse[0] * x - inverse[1] * y,
        inverse[2],
        inverse[3],
        centre_y - inverse[2] * x - inverse[3] * y,
    )
    # Rounded so that the last bit of a platform's cosine cannot change a pixel.
    large = padded.transform(
        (side, side),
        Image.Transform.AFFINE,
        tuple(round(value, 6) for value in coefficients),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(large.reduce(_OVERSAMPLING), dtype=np.uint8)
