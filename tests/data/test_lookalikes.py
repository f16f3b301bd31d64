import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.data.lookalikes import glyph_distances, keep_apart


def canvas(*ink):
    image = np.zeros((12, 12), np.uint8)
    for row, column in ink:
        image[row, column] = 200
    return image


def distance(*images):
    glyphs = np.stack(images)[:, None]
    return glyph_distances(glyphs, np.ones((len(images), 1), bool))


def test_one_pixel_of_shift_costs_nothing_two_do():
    bar = canvas(*((r, 5) for r in range(3, 9)))
    d = distance(bar, np.roll(bar, (1, -1), (0, 1)), np.roll(bar, 3, 1))
    np.testing.assert_allclose(d[0], [0, 0, 1], atol=1e-6)


def test_the_closed_form_of_an_extra_stroke():
    # A bar of 6 pixels against the same bar with a foot of 2: cosine = 6 / sqrt(6 * 8).
    bar = canvas(*((r, 5) for r in range(3, 9)))
    foot = bar + canvas((8, 6), (8, 7))
    assert distance(bar, foot)[0, 1] == pytest.approx(1 - 6 / np.sqrt(48), abs=1e-6)


def test_brightness_does_not_matter():
    bar = canvas(*((r, 5) for r in range(3, 9)))
    assert distance(bar, bar // 2)[0, 1] == pytest.approx(0, abs=1e-6)


def test_the_median_over_the_faces_that_hold_both():
    bar, dot = canvas(*((r, 5) for r in range(3, 9))), canvas((5, 5))
    glyphs = np.zeros((2, 4, 12, 12), np.uint8)
    glyphs[0] = bar
    glyphs[1] = [bar, bar, dot, dot]
    present = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], bool)
    assert glyph_distances(glyphs, present)[0, 1] == pytest.approx(0, abs=1e-6)
    present[1] = [0, 0, 0, 1]
    assert glyph_distances(glyphs, present)[0, 1] == pytest.approx(1 - 1 / np.sqrt(6), abs=1e-6)


def test_letters_that_share_no_face_are_apart():
    glyphs = np.full((2, 2, 3, 3), 9, np.uint8)
    assert glyph_distances(glyphs, np.eye(2, dtype=bool))[0, 1] == np.inf


@given(st.integers(1, 30), st.floats(0, 0.5), st.integers(0, 1000))
def test_who_stays_is_apart_and_who_goes_has_a_reason(count, threshold, seed):
    points = np.random.default_rng(seed).random((count, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    kept, removed = keep_apart(distances, threshold)
    assert sorted([*kept, *removed]) == list(range(count))
    among = distances[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)]
    assert (among >= threshold).all()
    for gone, stays in removed.items():
        assert stays in kept
        assert stays < gone
        assert distances[gone, stays] < threshold
