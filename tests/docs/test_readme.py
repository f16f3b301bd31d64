"""The README's table of learners is that of the registry."""

import re
from pathlib import Path

from metarobust.learners.catalogue import LEARNERS

README = Path(__file__).parents[2] / "README.md"


def learner_rows():
    section = (
        README.read_text(encoding="utf-8").partition("### Learners\n")[2].partition("\n###")[0]
    )
    return re.findall(r"^\| `([\w-]+)` \| (.+?) \| (.+?) \|$", section, re.M)


def test_every_learner_has_a_line_with_its_paper():
    rows = learner_rows()
    assert sorted(name for name, _, _ in rows) == list(LEARNERS)
    assert {name: paper for name, _, paper in rows} == {
        name: LEARNERS[name].paper for name in LEARNERS
    }


def test_every_learner_names_its_family_and_paper():
    for name in LEARNERS:
        assert LEARNERS[name].family not in ("", "other"), name
        assert re.search(r"\b(19|20)\d\d\b", LEARNERS[name].paper), name
