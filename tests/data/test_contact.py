import io

import numpy as np
import pytest
from PIL import Image

from metarobust.core.errors import DataError
from metarobust.data.contact import contact_sheet
from metarobust.data.sampler import EpisodeSampler, Protocol

HOSTILE = [
    r"$\frac{ $",
    "<script>alert(1)</script>",
    "a\nb\x1b[31m\0",
    "x" * 5000,
    "",
    "ა 漢 \ud800",
]


@pytest.fixture
def episode(make_dataset):
    def make(shape=(1, 4, 4), **protocol):
        data = make_dataset([40] * 6, shape=shape)
        return EpisodeSampler(data, Protocol(**protocol), 0)[3]

    return make


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_shows_the_pictures_of_the_episode(episode, channels):
    task = episode((channels, 4, 4))
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(task, list("abcdef"), tile=8))))
    top, left = 24, 220
    for label in range(5):
        for shot in range(5):
            y, x = top + label * 12, left + shot * 12
            shown = sheet[y : y + 8 : 2, x : x + 8 : 2].transpose(2, 0, 1)
            expected = (task.support_x[label * 5 + shot] * 255).round().byte().numpy()
            np.testing.assert_array_equal(shown, np.broadcast_to(expected, (3, 4, 4)))


def test_hostile_names_are_plain_text(episode):
    task = episode()
    plain = Image.open(io.BytesIO(contact_sheet(task, list("abcdef"))))
    sheet = Image.open(io.BytesIO(contact_sheet(task, HOSTILE)))
    assert sheet.size == plain.size
    pictures = (210, 24, *sheet.size)
    assert sheet.crop(pictures).tobytes() == plain.crop(pictures).tobytes()


def test_the_same_episode_gives_the_same_bytes(episode):
    assert contact_sheet(episode(), list("abcdef")) == contact_sheet(episode(), list("abcdef"))


def test_a_large_class_is_cut_to_ten(episode):
    wide = Image.open(io.BytesIO(contact_sheet(episode(shots=15, queries=15), list("abcdef"))))
    ten = Image.open(io.BytesIO(contact_sheet(episode(shots=10, queries=10), list("abcdef"))))
    assert wide.size == ten.size


def test_vectors_are_no_pictures(episode):
    with pytest.raises(DataError, match=r"expected pictures \[n, 1 or 3, H, W\], got \[25, 7\]"):
        contact_sheet(episode((7,)), list("abcdef"))


def test_an_episode_of_the_embedded_glyphs(glyph_set):
    task = EpisodeSampler(glyph_set, Protocol(), 0)[0]
    sheet = Image.open(io.BytesIO(contact_sheet(task, glyph_set.class_names)))
    assert sheet.format == "PNG"
    colours = np.asarray(sheet.convert("L"))
    assert ((colours > 0) & (colours < 255)).any()
