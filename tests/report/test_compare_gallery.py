"""The golden comparison is what the code writes today; a person has looked at it."""

import json

import pytest

from tests.report.regenerate_gallery import (
    COMPARISON,
    golden_comparison,
    golden_files,
    made_with,
)
from tests.report.test_gallery import without_pictures


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    return golden_files(folder, golden_comparison(folder))


@pytest.mark.parametrize("name", ["compare.md", "compare.tex", "compare.csv", "compare.json"])
def test_text_formats_byte_for_byte(name, today):
    assert today[name] == (COMPARISON / name).read_bytes()


def test_the_page_apart_from_its_pictures(today):
    golden = (COMPARISON / "compare.html").read_bytes()
    assert without_pictures(today["compare.html"]) == without_pictures(golden)


def test_pictures_byte_for_byte(today):
    golden = json.loads((COMPARISON / "made-with.json").read_text())
    if golden != made_with():
        pytest.skip(f"the golden pictures were made with {golden}, this is {made_with()}")
    names = {p.relative_to(COMPARISON).as_posix() for p in COMPARISON.rglob("*") if p.is_file()}
    assert names == {*today, "made-with.json"}
    for name, content in today.items():
        assert content == (COMPARISON / name).read_bytes(), name


def test_it_is_small():
    assert sum(p.stat().st_size for p in COMPARISON.rglob("*") if p.is_file()) < 500_000
