"""Free options of a configuration meet the factory they are for, or a helpful refusal."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from metarobust.assembly.options import build, options_of
from metarobust.core.errors import ConfigError


def factory(base, *, size: int = 1, rate: float = 0.5, deep: bool = False, word: str | None = None):
    return base, size, rate, deep, word


def needy(*, root: str):
    return root


@dataclass(frozen=True)
class Engine:
    distribution: str = "uniform"
    version: ClassVar[int] = 1


def test_options_reach_the_factory():
    assert build(factory, "thing", {"size": 3, "rate": 1, "deep": True}, "b") == (
        "b",
        3,
        1,
        True,
        None,
    )
    assert build(Engine, "engine", {"distribution": "sign"}) == Engine("sign")


def test_keyword_only_parameters_or_dataclass_fields_are_the_options():
    assert list(options_of(factory)) == ["size", "rate", "deep", "word"]
    assert list(options_of(Engine)) == ["distribution"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"siez": 3}, "thing has no option 'siez': did you mean 'size'?"),
        ({"base": 3}, "thing has no option 'base': known: deep, rate, size, word"),
        ({"size": "3"}, "thing, option 'size': expected a whole number, got '3'"),
        ({"size": 2.5}, "thing, option 'size': expected a whole number, got 2.5"),
        ({"size": True}, "thing, option 'size': expected a whole number, got true"),
        ({"size": None}, "thing, option 'size': expected a whole number, got null"),
        ({"rate": "1/3"}, "thing, option 'rate': expected a number, got '1/3'"),
        ({"rate": False}, "thing, option 'rate': expected a number, got false"),
        ({"deep": 1}, "thing, option 'deep': expected true or false, got 1"),
        ({"deep": "yes"}, "thing, option 'deep': expected true or false, got 'yes'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(options, message):
    with pytest.raises(ConfigError) as caught:
        build(factory, "thing", options, "b")
    assert str(caught.value) == message


def test_a_missing_option_is_named():
    with pytest.raises(ConfigError, match="data set folder needs the option 'root'"):
        build(needy, "data set folder", {})


def test_what_the_factory_itself_refuses_is_one_line():
    def picky(*, sides: tuple[int, int] = (1, 1)):
        raise RuntimeError("cannot allocate\nC++ frame #0")

    with pytest.raises(ConfigError, match=r"^backbone picky: cannot allocate$"):
        build(picky, "backbone picky", {})


class Base:
    def __init__(self, base, *, size: int = 1, rate: float = 0.5):
        self.seen = (base, size, rate)


class Passing(Base):
    def __init__(self, base, *, size: int = 7, deep: bool = False, **options):
        super().__init__(base, size=size, **options)


def test_a_class_that_passes_keywords_on_has_its_bases_options_too():
    known = options_of(Passing, given=1)
    assert set(known) == {"size", "rate", "deep"}
    assert known["size"].default == 7
    assert build(Passing, "thing", {"rate": 2.0, "deep": True}, "b").seen == ("b", 7, 2.0)
    with pytest.raises(ConfigError, match="thing has no option 'wide': known: deep, rate, size"):
        build(Passing, "thing", {"wide": 1}, "b")


def test_what_is_given_by_its_place_is_no_option():
    def plain(base, size=1):
        return base, size

    assert list(options_of(plain, given=1)) == ["size"]
    assert build(plain, "thing", {"size": 2}, "b") == ("b", 2)
