import math
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.data.typefaces import FACES, Pose, Typeface, draw, letters


@pytest.fixture(scope="module")
def sans():
    return Typeface("DejaVuSans")


def box(image):
    rows, columns = np.flatnonzero(image.max(1) > 127), np.flatnonzero(image.max(0) > 127)
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_a_face_holds_what_its_font_file_maps():
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in ("DejaVuSansMono", "STIXGeneral"):
        with TTFont(fonts / f"{name}.ttf") as font:
            mapped = {chr(code) for code, glyph in font.getBestCmap().items() if glyph != ".notdef"}
        assert Typeface(name).characters == mapped


def test_a_missing_character_is_not_held(sans):
    assert "A" in sans
    assert "\u4e00" not in sans
    assert "ა" not in Typeface("STIXGeneral")


def test_a_space_has_no_ink(sans):
    assert sans.ink(" ") is None


def test_twelve_and_two_faces():
    assert sum(name.startswith("DejaVu") for name in FACES) == 12
    assert sum(name.startswith("STIX") for name in FACES) == 2
    assert len(set(FACES)) == 14


def test_letters_are_undecomposable_and_no_modifiers(sans):
    found = letters([sans], ("Latin", "Armenian"), 1)
    assert "A" in found["Latin"]
    assert "é" not in found["Latin"]
    assert "\u0559" not in found["Armenian"]
    assert found["Latin"] == sorted(found["Latin"])


@pytest.mark.parametrize("character", "AIWmjღ")
def test_an_unposed_letter_is_centred_and_twenty_pixels_long(sans, character):
    top, bottom, left, right = box(draw(sans.ink(character), Pose()))
    assert abs(max(bottom - top, right - left) - 20) <= 1
    assert abs((top + bottom) / 2 - 14) <= 0.5
    assert abs((left + right) / 2 - 14) <= 0.5


def test_a_pose_turns_shears_and_shifts_the_way_it_says(sans):
    bar = sans.ink("|")

    def head_minus_foot(pose):
        image = draw(bar, pose).astype(float)
        columns = image @ np.arange(28) / np.maximum(image.sum(1), 1)
        rows = np.flatnonzero(image.sum(1) > 200)
        return columns[rows[1]] - columns[rows[-2]]

    assert head_minus_foot(Pose(rotation=math.radians(10))) < -2
    assert head_minus_foot(Pose(shear=0.2)) > 2
    upright, moved = draw(bar, Pose()), draw(bar, Pose(right=1.0, room=2.0))
    np.testing.assert_allclose(moved[:, 2:], upright[:, :-2], atol=1)
    sunk = draw(sans.ink("-"), Pose(down=1.0, room=2.0))
    np.testing.assert_allclose(sunk[2:], draw(sans.ink("-"), Pose())[:-2], atol=1)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from("AIWmjღ|-"),
    st.floats(0.85, 1.05),
    st.floats(-math.radians(10), math.radians(10)),
    st.floats(-0.1, 0.1),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_no_pose_clips_a_letter(sans, character, scale, rotation, shear, right, down):
    image = draw(sans.ink(character), Pose(scale, rotation, shear, right, down, 2.0))
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert border.max() == 0
    assert image.max() > 127
