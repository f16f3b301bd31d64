"""Figures are the same bytes every time, survive any name, and leave nothing behind."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.report.drawing import GRID, INK, MUTED, SERIES, legible_on
from metarobust.report.figures import draw_figures
from tests.report.contrast import contrast


@pytest.mark.parametrize("colour", SERIES)
def test_colours_stand_out_from_white_paper(colour):
    assert contrast(colour, "#ffffff") >= 3


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_words_on_a_fill_have_the_contrast_of_level_aa(fill):
    words = legible_on(tuple(channel / 255 for channel in (*fill, 255)))
    assert contrast(words, "#{:02x}{:02x}{:02x}".format(*fill)) >= 4.5
    assert words not in {INK, MUTED, GRID}


def test_a_figure_for_every_panel(model, drawings):
    adaptation = (panel.figure for panel in model.adaptation)
    panels = (
        *model.curves,
        *model.heat_maps,
        *adaptation,
        *model.reliability,
        *model.risk,
        *(panel for aspect in model.aspects for panel in aspect.panels),
        *model.pictures,
    )
    assert [drawing.name for drawing in drawings] == [panel.name for panel in panels]
    assert all(drawing.alt for drawing in drawings)


def test_bytes_are_the_same_every_time(written, drawings):
    folder, _ = written
    for drawing in drawings:
        assert (folder / "figures" / f"{drawing.name}.svg").read_text() == drawing.svg
        assert (folder / "figures" / f"{drawing.name}.pdf").read_bytes() == drawing.pdf


def test_pdf_fonts_are_truetype_and_undated(drawings):
    for drawing in drawings:
        assert b"/CreationDate" not in drawing.pdf
        assert b"/Type3" not in drawing.pdf


def test_any_name_can_be_drawn(hostile_drawings):
    for drawing in hostile_drawings:
        ElementTree.fromstring(drawing.svg)
        assert "<script" not in drawing.svg


def test_inline_figures_follow_the_page(drawings):
    for drawing in drawings:
        assert drawing.inline.startswith("<svg")
        assert "://" not in drawing.inline
        assert "currentColor" in drawing.inline
    everything = "".join(drawing.inline for drawing in drawings)
    assert "var(--series-0)" in everything
    identities = re.findall(r'\sid="([^"]+)"', everything)
    assert len(identities) == len(set(identities))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', everything)) <= set(identities)


def test_a_limited_run_is_stamped(limited_model, drawings):
    stamped = draw_figures(first_of_each(limited_model))
    assert all("limited run" in drawing.svg for drawing in stamped)
    assert not any("limited run" in drawing.svg for drawing in drawings)


def test_drawing_changes_no_global_state(model):
    before = dict(mpl.rcParams)
    draw_figures(replace(first_of_each(model), reliability=(), pictures=()))
    assert dict(mpl.rcParams) == before


def first_of_each(model):
    return replace(
        model,
        curves=model.curves[-1:],
        reliability=model.reliability[:1],
        pictures=model.pictures[:1],
    )
