"""The golden report is what the code writes today; a person has looked at it."""

import json
import re

import pytest

from metarobust.report.write import write_report
from tests.report.regenerate_gallery import GALLERY, GATE, golden_files, made_with
from tests.support.gate_example import gate_example


@pytest.fixture(scope="module")
def today(written):
    return golden_files(*written)


def without_pictures(page: bytes) -> bytes:
    """The page with figures and images cut out, whose bytes depend on library versions."""
    cut = re.sub(rb"(?s)(<div class=\"chart\"[^>]*>)<svg.*?</svg>\s*</div>", rb"\1</div>", page)
    return re.sub(rb"data:image/png;base64,[^\"]+", b"", cut)


@pytest.mark.parametrize(
    "name", ["report.md", "report.tex", "cells.csv", "learners.csv", "summary.json"]
)
def test_text_formats_byte_for_byte(name, today):
    assert today[name] == (GALLERY / name).read_bytes()


def test_the_page_apart_from_its_pictures(today):
    golden = (GALLERY / "report.html").read_bytes()
    assert without_pictures(today["report.html"]) == without_pictures(golden)


def test_pictures_byte_for_byte(today):
    golden = json.loads((GALLERY / "made-with.json").read_text())
    if golden != made_with():
        pytest.skip(f"the golden pictures were made with {golden}, this is {made_with()}")
    names = {path.relative_to(GALLERY).as_posix() for path in GALLERY.rglob("*") if path.is_file()}
    assert names == {*today, "made-with.json"}
    for name, content in today.items():
        assert content == (GALLERY / name).read_bytes(), name


@pytest.mark.parametrize("name", ["report.md", "summary.json", "junit.xml", "report.html"])
def test_the_example_of_a_failed_gate(name, gate_written):
    golden = (GATE / name).read_bytes()
    assert without_pictures(gate_written[name]) == without_pictures(golden)


@pytest.fixture(scope="module")
def gate_written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    return golden_files(folder, write_report(folder, gate_example()))
