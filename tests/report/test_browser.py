"""A real browser opens the page: nothing on its console, everything on its screen."""

import re

import numpy as np
import pytest
from PIL import Image

from metarobust.report.html import render_html
from tests.report.browser import also_running, browse, measured, needs_chromium

pytestmark = needs_chromium


def page_of(model, drawings):
    return render_html(model, {drawing.name: drawing.inline for drawing in drawings})


@pytest.mark.parametrize(("scheme", "dark"), [("1", False), ("0", True)])
def test_the_page_shows_in_light_and_dark(tmp_path, model, drawings, scheme, dark):
    shot = tmp_path / "shot.png"
    browse(
        tmp_path,
        page_of(model, drawings),
        f"--screenshot={shot}",
        "--window-size=1280,1600",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("L"), dtype=float)
    assert pixels.std() > 10
    assert (np.median(pixels) < 128) == dark


def test_hostile_names_run_nothing(tmp_path, hostile_model, hostile_drawings):
    page = browse(tmp_path, page_of(hostile_model, hostile_drawings), "--dump-dom")
    assert page.count("<script") == 1


def test_tables_sort_and_filter(tmp_path, model):
    head = "document.querySelectorAll('#cells table.sortable thead button')[6]"
    code = f"""
        {head}.click();
        const box = document.querySelector("#cells input[type=search]");
        box.value = "maml pgd-linf";
        box.dispatchEvent(new Event("input"));
    """
    dom = browse(tmp_path, also_running(render_html(model, {}), code), "--dump-dom")
    cells = dom[dom.index('<section id="cells"') :]
    table = cells[cells.index('<table class="sortable numbers"') :]
    shown = re.findall(
        r"<tr(?![^>]*hidden)[^>]*>(.*?)</tr>", table[: table.index("</table>")], re.S
    )
    numbers = [re.findall(r'data-value="([^"]*)"', row)[1] for row in shown[1:]]
    pgd = [r for r in model.rows if (r.learner, r.name[-8:]) == ("maml", "pgd-linf")]
    assert [float(number) for number in numbers] == sorted(r.accuracy.value for r in pgd)
    assert f">{len(pgd)} of {len(model.rows)} rows</output>" in cells


def test_it_fits_a_phone_and_asks_for_nothing(tmp_path, model, drawings):
    found = measured(tmp_path, page_of(model, drawings), [320, 390, 1280])
    assert [entry["width"] for entry in found] == [320, 390, 1280]
    for entry in found:
        assert entry["content"] <= entry["width"]
        assert [name for name in entry["requests"] if not name.startswith("data:")] == []


def test_the_heading_of_a_long_table_stays(tmp_path, model):
    code = """
        const wide = document.querySelector("#cells .wide");
        const heightOf = (element) => element.getBoundingClientRect().top;
        wide.scrollTop = 400;
        document.title = `${wide.scrollTop} ${heightOf(wide.querySelector("th")) - heightOf(wide)}`;
    """
    dom = browse(tmp_path, also_running(render_html(model, {}), code), "--dump-dom")
    scrolled, below = re.search(r"<title>(\S+) (\S+)</title>", dom).groups()
    assert float(scrolled) == 400
    assert 0 <= float(below) <= 2


def test_on_paper_the_numbers_lie_across_and_the_rest_stands(tmp_path, model, drawings):
    pdf = tmp_path / "report.pdf"
    browse(tmp_path, page_of(model, drawings), f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf.read_bytes())
    across = [float(width) > float(height) for width, height in boxes]
    assert not across[0]
    assert not across[-1]
    assert any(across)


def test_names_without_a_space_fit_a_phone(tmp_path, hostile_model):
    (found,) = measured(tmp_path, render_html(hostile_model, {}), [320])
    assert found["content"] <= found["width"]


@pytest.mark.parametrize(
    "fault",
    ['<img src="http://127.0.0.1:9/x.png" alt="x">', "<b onclick='1'>x</b><script>1</script>"],
)
def test_a_request_or_a_strange_script_would_be_seen(tmp_path, empty_model, fault):
    page = render_html(empty_model, {}).replace("</footer>", f"{fault}</footer>")
    with pytest.raises(AssertionError, match="CONSOLE"):
        browse(tmp_path, page, "--dump-dom")


def test_a_page_that_is_too_wide_would_be_seen(tmp_path, empty_model):
    wide = '<p style="width: 500px; max-width: none">x</p></footer>'
    page = render_html(empty_model, {}).replace("</footer>", wide)
    (found,) = measured(tmp_path, page, [390])
    assert found["content"] > found["width"]
