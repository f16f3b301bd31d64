"""Every threat has one kind."""

import pytest

from metarobust.audit.kinds import kind_of


@pytest.mark.parametrize(
    ("family", "surface", "kind"),
    [
        ("clean", None, "clean"),
        ("noise", "support", "noise"),
        ("labels", "support", "labels"),
        ("corruption", "query", "corruption"),
        ("attack", "query", "query"),
        ("attack", "support", "support"),
        ("poison", "support", "support"),
        ("attack", "both", "both"),
    ],
)
def test_the_kind_of_a_threat(family, surface, kind):
    assert kind_of({"family": family, "surface": surface}) == kind
