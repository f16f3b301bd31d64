"""The tiny project that these tests work on, and reports without pictures."""

import pytest

from tests.support.command_line import cli, files
from tests.support.tiny_project import _own_cache, tiny

__all__ = ["_own_cache", "cli", "files", "tiny"]


@pytest.fixture
def figures():
    """Asks for the figures of reports, which most tests do without since they take long to draw."""


@pytest.fixture(autouse=True)
def _quick_reports(request, monkeypatch):
    if "figures" not in request.fixturenames:
        monkeypatch.setattr("metarobust.report.write.draw_figures", lambda model: [])
