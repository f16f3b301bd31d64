import unicodedata
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from metarobust.data.glyphs import SAMPLES, THRESHOLD, glyphs
from metarobust.data.typefaces import FACES, Pose, Typeface, draw

BEFORE = {"Latin": 398, "Cyrillic": 173, "Greek": 84, "Armenian": 76, "Georgian": 119}


@pytest.fixture(scope="module")
def upright():
    """A function from letter and face to the unposed glyph as floats, or None."""
    faces = {name: Typeface(name) for name in FACES}

    def glyph(character, face):
        if character not in faces[face]:
            return None
        return draw(faces[face].ink(character), Pose()).astype(float)

    return glyph


def separation(a, b):
    """1 - the best cosine over shifts of at most one pixel, written out pixel by pixel."""
    best = 0.0
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            inner = a[1:-1, 1:-1] * b[1 + down : 27 + down, 1 + right : 27 + right]
            best = max(best, inner.sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    return 1 - best


def test_candidates_are_counted_as_an_independent_reader_counts_them(glyph_set):
    counts = Counter()
    for face in FACES:
        path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
        with TTFont(path) as font:
            counts.update(c for c, name in font.getBestCmap().items() if name != ".notdef")
    scripts = Counter(
        unicodedata.name(chr(c)).split()[0].capitalize()
        for c, faces in counts.items()
        if faces >= 8
        and unicodedata.category(chr(c)) in {"Lu", "Ll", "Lt", "Lo"}
        and not unicodedata.decomposition(chr(c))
    )
    assert {script: scripts[script] for script in BEFORE} == BEFORE
    assert glyph_set.info["look_alikes"]["letters_before"] == BEFORE


def test_scripts_are_the_splits(glyph_set):
    assert glyph_set.images.shape[1:] == (1, 28, 28)
    named = {part: {glyph_set.groups[c] for c in ids} for part, ids in glyph_set.splits.items()}
    assert named == {
        "train": {"Latin", "Cyrillic"},
        "val": {"Greek"},
        "test": {"Armenian", "Georgian"},
    }
    assert {len(rows) for rows in glyph_set.class_rows} == {SAMPLES}
    after = glyph_set.info["look_alikes"]["letters_after"]
    assert after == Counter(glyph_set.groups)
    assert all(after[script] >= 0.35 * BEFORE[script] for script in BEFORE)
    assert after["Armenian"] >= 60
    assert after["Georgian"] >= 95


def test_of_look_alikes_one_stays_and_meta_test_is_preferred(glyph_set):
    left = set(glyph_set.class_names)
    groups = (
        ("GREEK CAPITAL LETTER ALPHA", "LATIN CAPITAL LETTER A", "CYRILLIC CAPITAL LETTER A"),
        ("ARMENIAN CAPITAL LETTER OH", "LATIN CAPITAL LETTER O", "CYRILLIC CAPITAL LETTER O"),
        ("GREEK CAPITAL LETTER RHO", "LATIN CAPITAL LETTER P", "CYRILLIC CAPITAL LETTER ER"),
    )
    for first, *others in groups:
        assert first in left
        assert not left & set(others)


def test_no_two_classes_of_different_splits_are_look_alikes(glyph_set, upright):
    # An independent, slower distance on the letters most likely to be confused, all by hand.
    names = ["LATIN CAPITAL LETTER C", "LATIN SMALL LETTER E", "CYRILLIC CAPITAL LETTER DE"]
    names += ["GREEK CAPITAL LETTER DELTA", "GREEK SMALL LETTER BETA", "GREEK CAPITAL LETTER NU"]
    names += ["ARMENIAN SMALL LETTER OH", "ARMENIAN CAPITAL LETTER SEH", "GEORGIAN LETTER ON"]
    characters = [unicodedata.lookup(name) for name in names if name in glyph_set.class_names]
    assert len(characters) >= 6
    for i, a in enumerate(characters):
        for b in characters[:i]:
            pairs = [(upright(a, face), upright(b, face)) for face in FACES]
            values = [separation(x, y) for x, y in pairs if x is not None and y is not None]
            assert np.median(values) >= THRESHOLD - 1e-6
    assert glyph_set.info["look_alikes"]["nearest_pair_left"] >= THRESHOLD


def test_the_threshold_is_where_its_reason_says(upright):
    # Between two faces one letter differs by 0.10 at the 10th percentile and 0.21 at the median.
    values = []
    for character in "AbGkQsДжЮβΣԳճႫფⴕ":
        drawn = [g for face in FACES if (g := upright(character, face)) is not None]
        values += [separation(a, b) for i, a in enumerate(drawn) for b in drawn[:i]]
    assert np.quantile(values, 0.10) == pytest.approx(0.10, abs=0.03)
    assert np.quantile(values, 0.50) == pytest.approx(0.21, abs=0.05)


def test_samples_are_whole_inked_and_centred(glyph_set):
    images = np.asarray(glyph_set.images[:, 0])
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    assert border.max() == 0
    assert (images.reshape(len(images), -1).max(1) > 200).all()
    weight = images.astype(float)
    for axis in (1, 2):
        profile = weight.sum(3 - axis)
        centre = profile @ (np.arange(28) + 0.5) / profile.sum(1)
        assert abs(centre.mean() - 14) < 0.5
        assert np.abs(centre - 14).max() < 7


def test_samples_of_a_letter_differ(glyph_set):
    assert glyph_set.info["repeats_dropped"] == 0


def test_provenance_names_every_version(glyph_set):
    assert glyph_set.info["matplotlib"] == matplotlib.__version__
    assert glyph_set.info["polarity"] == "ink = 255 on 0"
    assert set(glyph_set.info) >= {"pillow", "freetype", "faces", "jitter", "look_alikes"}
    assert len(glyph_set.info["look_alikes"]["examples"]) == 8


@pytest.mark.slow
def test_a_second_build_gives_the_same_bits(glyph_set, tmp_path):
    assert glyphs(cache=tmp_path).digest == glyph_set.digest
