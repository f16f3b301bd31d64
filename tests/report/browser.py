"""A headless Chromium: open a page, fail on any word on its console, look at what became of it."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: pages were not opened in a browser"
)

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

MEASURE = """
  parent.postMessage({
    width: innerWidth,
    content: document.documentElement.scrollWidth,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
  }, "*");
"""

DRIVER = """<!doctype html>
{frames}
<pre></pre>
<script>
  const found = [];
  addEventListener("message", (event) => {{
    found.push(event.data);
    document.querySelector("pre").textContent = JSON.stringify(found);
  }});
</script>
"""


def browse(folder: Path, page: str, *flags: str, name: str = "report.html") -> str:
    """Open a page and give back the browser's output, e.g. the document with `--dump-dom`.

    Raises:
        AssertionError: the page, or one in it, put something on its console.
    """
    file = folder / name
    file.write_text(page, encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *FLAGS, profile, *flags, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def also_running(page: str, code: str) -> str:
    """The page with more in its one script, admitted by a new hash."""
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", page)
    old, new = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, script + code)
    )
    return page.replace(script, script + code).replace(old, new)


def measured(folder: Path, page: str, widths: list[int]) -> list[dict[str, Any]]:
    """What a page says of itself at several widths, narrower than a window can be.

    Returns:
        For each width the `width` inside, the width of the `content`, and the addresses of all
        `requests`, in order of width.
    """
    (folder / "framed.html").write_text(also_running(page, MEASURE), encoding="utf-8")
    frames = "".join(
        f'<iframe src="framed.html" width="{width}" height="800" frameborder="0"></iframe>'
        for width in widths
    )
    driver = DRIVER.format(frames=frames)
    flags = ("--virtual-time-budget=5000", "--dump-dom")
    dom = browse(folder, driver, *flags, name="driver.html")
    (text,) = re.findall(r"(?s)<pre>(.*?)</pre>", dom)
    return sorted(json.loads(html.unescape(text)), key=lambda found: int(found["width"]))
