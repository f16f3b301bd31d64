"""A real browser opens the page: nothing on its console, something on its screen."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metarobust.report.html import render_html

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]


def browse(folder: Path, page: str, *flags: str) -> subprocess.CompletedProcess[str]:
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *FLAGS, profile, *flags, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    return done


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
    page = browse(tmp_path, page_of(hostile_model, hostile_drawings), "--dump-dom").stdout
    assert page.count("<script") == 1


def also_running(page: str, code: str) -> str:
    """The page with more in its one script, admitted by a new hash."""
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", page)
    old, new = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, script + code)
    )
    return page.replace(script, script + code).replace(old, new)


def test_tables_sort_and_filter(tmp_path, model):
    head = "document.querySelectorAll('#cells table.sortable thead button')[6]"
    code = f"""
        {head}.click();
        const box = document.querySelector("#cells input[type=search]");
        box.value = "maml pgd-linf";
        box.dispatchEvent(new Event("input"));
    """
    dom = browse(tmp_path, also_running(render_html(model, {}), code), "--dump-dom").stdout
    cells = dom[dom.index('<section id="cells"') :]
    table = cells[cells.index('<table class="sortable"') :]
    shown = re.findall(
        r"<tr(?![^>]*hidden)[^>]*>(.*?)</tr>", table[: table.index("</table>")], re.S
    )
    numbers = [re.findall(r'data-value="([^"]*)"', row)[1] for row in shown[1:]]
    pgd = [r for r in model.rows if (r.learner, r.name[-8:]) == ("maml", "pgd-linf")]
    assert [float(number) for number in numbers] == sorted(r.accuracy.value for r in pgd)
