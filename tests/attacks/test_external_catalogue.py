"""What the bridge refuses before computing, and the arguments it makes of a budget."""

import sys
from typing import Any

import pytest

from metarobust.attacks.external_catalogue import torchattacks_arguments
from metarobust.core.errors import ConfigError

pytest.importorskip("torchattacks")

REQUEST: dict[str, Any] = {"ways": 5, "eps": 0.1, "steps": 10, "norm": "linf", "options": {}}


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("pgd", {}, "did you mean 'PGD'"),
        ("APDG", {}, "did you mean 'APGD'"),
        ("__init__", {}, "unknown torchattacks attack"),
        ("AutoAttack", {}, "10 steps, not the published 100"),
        ("OnePixel", {}, "l0"),
        ("MultiAttack", {}, "wraps"),
        ("PGD", {"norm": "l2"}, "bounds linf, not l2"),
        ("CW", {"norm": "linf"}, "bounds l2, not linf"),
        ("FAB", {"norm": "l1"}, "bounds linf or l2, not l1"),
        ("PGD", {"eps": -0.1}, "eps of at least 0"),
        ("PGD", {"eps": float("nan")}, "eps of at least 0"),
        ("PGD", {"steps": 0}, "1 steps or more"),
        ("EADEN", {"norm": "l2", "steps": 9}, "10 steps or more"),
        ("FGSM", {"steps": 10}, "takes one step"),
        ("PGD", {"restarts": 2}, "has no restarts"),
        ("PGD", {"ways": 1}, "2 ways or more"),
        ("APGD", {"ways": 2, "options": {"loss": "dlr"}}, "3 ways or more"),
        ("UPGD", {"ways": 2, "options": {"loss": "dlr"}}, "3 ways or more"),
        ("APGDT", {"ways": 3}, "4 ways or more"),
        ("PGD", {"options": {"eps": 0.3}}, "follows from the budget"),
        ("APGD", {"options": {"seed": 3}}, "follows from the budget"),
        ("PGD", {"options": {"random_starts": True}}, "did you mean 'random_start'"),
        ("PGD", {"options": {"model": None}}, "takes no option 'model'"),
        ("FAB", {"options": {"targeted": True}}, "takes no option 'targeted'"),
    ],
)
def test_impossible_requests_are_refused_before_computing(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        torchattacks_arguments(name, **(REQUEST | changes))


def test_budget_becomes_constructor_arguments() -> None:
    found = torchattacks_arguments(
        "FAB", ways=5, eps=0.1, steps=7, norm="l2", restarts=3, seed=11,
        options={"multi_targeted": True},
    )  # fmt: skip
    assert found == {
        "eps": 0.1, "steps": 7, "norm": "L2", "n_restarts": 3, "seed": 11, "n_classes": 5,
        "multi_targeted": True,
    }  # fmt: skip
    pgd = torchattacks_arguments("PGD", **REQUEST)
    assert pgd == {"eps": 0.1, "steps": 10, "alpha": 0.025}


def test_a_missing_package_is_an_error_with_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    with pytest.raises(ConfigError, match=r"pip install torchattacks==3\.3\.0 scipy") as caught:
        torchattacks_arguments("PGD", **REQUEST)
    assert "pip install --no-deps torchattacks==3.5.1" in str(caught.value)
