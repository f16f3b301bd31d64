"""docs/measures.md has a row for every score, and names only tests and scores that exist."""

import re
from pathlib import Path

import pytest

from metarobust.audit.learner_measure import LEARNER_MEASURES
from metarobust.audit.regression_scores import REGRESSION_MEASURES
from metarobust.audit.scores import MEASURES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
OF_CELLS, OF_LEARNERS = TEXT.split("## Of a learner")
ROWS = re.compile(r"^\| `(\w+)`( †)? \|(.*)\|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "measures"),
    [(OF_CELLS, (*MEASURES, *REGRESSION_MEASURES)), (OF_LEARNERS, LEARNER_MEASURES)],
)
def test_every_score_has_one_row(page: str, measures) -> None:
    named = [name for name, _, _ in ROWS.findall(page)]
    assert sorted(named) == sorted(measure.key for measure in measures)


def test_what_has_no_interval_and_what_can_be_compared_is_said() -> None:
    said = {name: (bool(mark), rest.split(" | ")) for name, mark, rest in ROWS.findall(OF_CELLS)}
    for measure in (*MEASURES, *REGRESSION_MEASURES):
        mark, columns = said[measure.key]
        assert mark == (measure.episodes is not None), measure.key
        assert (columns[2].strip() == "none") == (not measure.has_interval), measure.key


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:metrics|stats|audit)/test_\w+\.py)`", TEXT))
    assert len(named) > 10
    for name in named:
        assert (ROOT / "tests" / name).is_file(), name
