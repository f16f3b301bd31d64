"""The page on the sanity checks says of each what the table in the code says."""

from pathlib import Path

import pytest

from metarobust.audit.checks import CHECKS

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
LINES = {line.split("|")[1].strip(): line for line in PAGE.splitlines() if line.startswith("| ")}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_is_documented_as_it_is(check):
    line = LINES[check.id].replace("\\|", "|")
    for fact in (check.name, check.formula, check.threshold, check.advice):
        assert f"| {fact} |" in line


def test_no_check_is_documented_that_there_is_not():
    assert set(LINES) - {"id"} == {check.id for check in CHECKS}
