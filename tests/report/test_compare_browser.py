"""A real browser opens the comparison: nothing on its console, something on its screen."""

import numpy as np
import pytest
from PIL import Image

from metarobust.audit.compare import compare
from metarobust.audit.contest import bring_together
from metarobust.report.compare_figures import draw_comparison
from metarobust.report.compare_html import render_compare_html
from metarobust.report.compare_model import build_comparison
from tests.report.browser import browse, measured, needs_chromium
from tests.support.made_up_contest import synthetic_contest

pytestmark = needs_chromium


def page_of(*, hostile):
    runs = synthetic_contest(hostile=hostile, yardstick=True)
    model = build_comparison(compare(bring_together(runs)))
    return render_compare_html(model, {d.name: d.inline for d in draw_comparison(model)})


@pytest.fixture(scope="module")
def page():
    return page_of(hostile=False)


@pytest.mark.parametrize(("scheme", "dark"), [("1", False), ("0", True)])
def test_the_page_shows_in_light_and_dark(tmp_path, page, scheme, dark):
    shot = tmp_path / "shot.png"
    browse(
        tmp_path,
        page,
        f"--screenshot={shot}",
        "--window-size=1280,1600",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("L"), dtype=float)
    assert pixels.std() > 10
    assert (np.median(pixels) < 128) == dark


def test_it_fits_a_phone_and_asks_for_nothing(tmp_path, page):
    for entry in measured(tmp_path, page, [320, 390, 1280]):
        assert entry["content"] <= entry["width"]
        assert [name for name in entry["requests"] if not name.startswith("data:")] == []


def test_hostile_names_run_nothing(tmp_path):
    page = browse(tmp_path, page_of(hostile=True), "--dump-dom")
    assert page.count("<script") == 1
