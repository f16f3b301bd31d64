"""Data sets by name and options."""

import pytest

from metarobust.assembly.dataset import load_dataset
from metarobust.core.errors import ConfigError


def test_the_same_name_and_options_give_the_same_object(tiny):
    options = {key: value for key, value in tiny.dataset.items() if key != "name"}
    one = load_dataset("folder", options)
    assert one is load_dataset("folder", dict(reversed(options.items())))
    assert one is not load_dataset("folder", {**options, "channels": 3})
    assert one.input_shape == (1, 16, 16)
    assert {part: len(ids) for part, ids in one.splits.items()} == {
        "train": 6,
        "val": 4,
        "test": 6,
    }


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("glyph", {}, "unknown data set 'glyph': did you mean 'glyphs'"),
        ("folder", {}, "data set folder needs the option 'root'"),
        ("digits", {"sise": 8}, "data set digits has no option 'sise': did you mean 'size'"),
        ("digits", {"size": "big"}, "option 'size': expected a whole number, got 'big'"),
        ("digits", {"size": -4}, "size"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        load_dataset(name, options)
