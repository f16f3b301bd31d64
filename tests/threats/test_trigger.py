"""A trigger changes its own pixels, and no others."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.core.errors import ConfigError
from metarobust.threats.trigger import CORNERS, PATTERNS, Trigger


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.sampled_from(CORNERS),
    st.sampled_from(PATTERNS),
    st.floats(0, 1, width=32),
    st.integers(1, 3),
)
def test_the_patch_is_its_size_and_the_rest_is_left(size, position, pattern, value, channels):
    images = torch.full((2, channels, 8, 10), 2.0)  # no pixel of a patch is 2
    before = images.clone()
    marked = Trigger(size, position, pattern, value).stamp(images)
    assert torch.equal(images, before)
    touched = (marked != images).all(1).all(0)
    assert int(touched.sum()) == size * size
    assert not touched[[0, -1]].any(), "a free border"
    assert not touched[:, [0, -1]].any()
    values = set(marked[:, :, touched].flatten().tolist())
    complement = float(1 - torch.tensor(value))
    assert values == ({value} if pattern == "solid" or size == 1 else {value, complement})


@pytest.mark.parametrize(
    ("position", "corner"),
    [("top-left", (1, 1)), ("top-right", (1, 7)), ("bottom-left", (5, 1)), ("centre", (3, 4))],
)
def test_it_lies_where_it_should(position, corner):
    marked = Trigger(2, position, "solid", 1.0).stamp(torch.zeros(1, 1, 8, 10))
    assert tuple(marked[0, 0].nonzero()[0].tolist()) == corner


def test_a_checkerboard_alternates():
    marked = Trigger(2, "top-left", "checkerboard", 1.0).stamp(torch.full((1, 1, 6, 6), 0.5))
    assert marked[0, 0, 1:3, 1:3].tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "expected size of 1 pixel or more, got 0"),
        ({"position": "middle"}, "got 'middle'"),
        ({"pattern": "dots"}, "expected pattern solid or checkerboard, got 'dots'"),
        ({"value": 255.0}, r"expected value in \[0, 1\], got 255"),
    ],
)
def test_an_impossible_trigger_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Trigger(**options)


def test_it_must_fit_the_images():
    assert Trigger(size=6).misfit((1, 8, 10)) == ""
    assert "at most 6" in Trigger(size=7).misfit((1, 8, 10))
    assert "got inputs [16]" in Trigger().misfit((16,))
