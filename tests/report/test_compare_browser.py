"""A real browser opens the comparison: nothing on its console, something on its screen."""

import numpy as np
import pytest
from PIL import Image

from metarobust.audit.compare import compare
from metarobust.audit.contest import bring_together
from metarobust.report.compare_figures import draw_comparison
from metarobust.report.compare_html import render_compare_html
from metarobust.report.compare_model import build_comparison
from tests.report.test_browser import CHROMIUM, browse
from tests.support.made_up_contest import synthetic_contest

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def page_of(*, hostile):
    model = build_comparison(compare(bring_together(synthetic_contest(hostile=hostile))))
    return render_compare_html(model, {d.name: d.inline for d in draw_comparison(model)})


@pytest.fixture(scope="module")
def page():
    return page_of(hostile=False)


@pytest.mark.parametrize(
    ("scheme", "dark", "width"), [("1", False, 1280), ("0", True, 1280), ("1", False, 500)]
)
def test_the_page_shows_in_light_in_dark_and_on_a_phone(tmp_path, page, scheme, dark, width):
    shot = tmp_path / "shot.png"
    browse(
        tmp_path,
        page,
        f"--screenshot={shot}",
        f"--window-size={width},1600",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("L"), dtype=float)
    assert pixels.std() > 10
    assert (np.median(pixels) < 128) == dark
    # Nothing sticks out to the right: the margin of the page stays empty.
    assert np.ptp(pixels[:, -8:]) == 0


def test_hostile_names_run_nothing(tmp_path):
    page = browse(tmp_path, page_of(hostile=True), "--dump-dom").stdout
    assert page.count("<script") == 1
