import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.core.errors import ConfigError
from metarobust.data.splits import all_test, declared_split, seeded_split

ALPHABETS = {"Greek": [0, 1], "Latin": [2], "Korean": [3, 4]}


def test_names_stand_for_their_classes():
    split = declared_split({"train": ["Korean", "Greek"], "test": ["Latin"]}, ALPHABETS, "alphabet")
    assert split == {"train": (3, 4, 0, 1), "val": (), "test": (2,)}


def test_numbers_are_names_too():
    assert declared_split({"test": [7, 3]}, {"3": [0], "7": [1]}, "digit")["test"] == (1, 0)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"train": ["Greek"], "tset": ["Latin"]}, "expected train, val and test, got tset"),
        ({"train": ["Grek"]}, r"unknown alphabet 'Grek': did you mean 'Greek'\?"),
        ({"train": ["Greek"], "val": ["Greek"]}, "'Greek' is listed under train and val"),
        ({"train": "Greek"}, "expected a list of alphabet names, got 'Greek'"),
        (["Greek"], "expected lists under train, val and test"),
    ],
)
def test_a_wrong_declaration_is_refused(declared, message):
    with pytest.raises(ConfigError, match=message):
        declared_split(declared, ALPHABETS, "alphabet")


@given(st.integers(1, 200), st.integers(0, 99), st.integers(0, 99), st.integers(0, 1000))
def test_a_seeded_split_is_a_partition(classes, a, b, seed):
    low, high = sorted((a / 100, b / 100))
    fractions = (low, high - low, 1 - high)
    split = seeded_split(classes, fractions, seed)
    assert sorted(c for part in split.values() for c in part) == list(range(classes))
    for part, share in zip(("train", "val", "test"), fractions, strict=True):
        assert abs(len(split[part]) - share * classes) <= 1
    assert split == seeded_split(classes, fractions, seed)


def test_seeds_differ():
    assert seeded_split(50, (0.6, 0.2, 0.2), 0) != seeded_split(50, (0.6, 0.2, 0.2), 1)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_fractions_must_be_shares_of_one(fractions):
    with pytest.raises(ConfigError, match="three shares"):
        seeded_split(10, fractions, 0)


def test_all_test():
    assert all_test(2) == {"train": (), "val": (), "test": (0, 1)}
