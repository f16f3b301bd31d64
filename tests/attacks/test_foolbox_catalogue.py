"""What the bridge refuses to ask of foolbox, and the arguments it makes of a budget."""

import sys
from typing import Any

import pytest

from metarobust.attacks.foolbox_catalogue import FOOLBOX, foolbox_arguments
from metarobust.core.errors import ConfigError

foolbox = pytest.importorskip("foolbox")

REQUEST: dict[str, Any] = {"ways": 5, "eps": 0.1, "steps": 10, "norm": "linf", "options": {}}


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("pgd", {}, "did you mean 'PGD'"),
        ("LinfPDG", {}, "did you mean 'LinfPGD'"),
        ("__init__", {}, "unknown foolbox attack"),
        ("L0FMNAttack", {}, "l0"),
        ("SpatialAttack", {}, "not bounded in a norm"),
        ("PGD", {"norm": "l2"}, "bounds linf, not l2"),
        ("L2PGD", {"norm": "linf"}, "bounds l2, not linf"),
        ("PGD", {"eps": -0.1}, "eps of at least 0"),
        ("FGSM", {"steps": 10}, "takes one step"),
        ("PGD", {"restarts": 2}, "has no restarts"),
        ("PGD", {"options": {"rel_stepsize": 0.3}}, "follows from the budget"),
        ("PGD", {"options": {"abs_stepsize": 0.3}}, "follows from the budget"),
        ("PGD", {"options": {"random_starts": True}}, "did you mean 'random_start'"),
    ],
)
def test_impossible_requests_are_refused_before_computing(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        foolbox_arguments(name, **(REQUEST | changes))


def test_budget_becomes_constructor_arguments() -> None:
    found = foolbox_arguments("PGD", **REQUEST, step_size=0.1)
    assert found == {"steps": 10, "rel_stepsize": 0.1}
    one = foolbox_arguments("FGSM", **REQUEST | {"steps": 1, "options": {"random_start": True}})
    assert one == {"random_start": True}


@pytest.mark.parametrize("name", FOOLBOX)
def test_the_norm_is_the_one_foolbox_measures(name: str) -> None:
    measured = getattr(foolbox.attacks, name).distance
    norms = {"linf": foolbox.distances.linf, "l2": foolbox.distances.l2, "l1": foolbox.distances.l1}
    assert [norms[norm] for norm in FOOLBOX[name].norms] == [measured]


def test_a_missing_package_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "foolbox", None)
    with pytest.raises(ConfigError, match=r"pip install 'metarobust\[foolbox\]'"):
        foolbox_arguments("PGD", **REQUEST)
