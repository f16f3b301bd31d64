"""What a recipe says of itself: its label, its family, its facts."""

import pytest
from pydantic import ValidationError

from metarobust.config.engine_name import BUDGET_FIELDS, engine_kind
from metarobust.config.recipe import Recipe


def recipe(**changes):
    base = {
        "name": "pgd-linf",
        "summary": "s",
        "engine": "pgd",
        "surface": "query",
        "knowledge": "white-box",
        "norm": "linf",
        "eps": "8/255",
        "steps": 20,
    }
    return Recipe(**{**base, **changes})


def corruption(**changes):
    base = {
        "name": "fog",
        "summary": "s",
        "engine": "corruption:fog",
        "surface": "query",
        "knowledge": "none",
        "severity": 3,
    }
    return Recipe(**{**base, **changes})


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (recipe(restarts=2), "pgd-linf eps=8/255 steps=20 restarts=2"),
        (recipe(name="mine"), "mine linf eps=8/255 steps=20"),
        (recipe(name="pgd-l2", norm="l2", eps=2), "pgd-l2 eps=2 steps=20"),
        (recipe(targets="shifted"), "pgd-linf eps=8/255 steps=20 shifted"),
        (
            recipe(name="p-linf", surface="support", shot_fraction="1/5", first_order=True),
            "p-linf eps=8/255 steps=20 shots=0.2 first-order",
        ),
        (corruption(), "fog severity=3"),
        (corruption(surface="both"), "fog on-both severity=3"),
        (corruption(name="fog-support", surface="support"), "fog-support severity=3"),
        (corruption(name="fog-support", surface="query"), "fog-support on-query severity=3"),
    ],
)
def test_the_label_is_the_name_and_the_budget(found, label):
    assert found.label == label


def test_label_noise_says_its_fraction_even_when_it_is_all():
    found = Recipe(
        name="flip", summary="s", engine="label-noise", surface="support", knowledge="none",
        fraction=1,
    )  # fmt: skip
    assert found.label == "flip fraction=1"
    assert found.family == "labels"


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({}, "attack"),
        ({"surface": "support"}, "poison"),
        ({"surface": "both"}, "attack"),
        ({"engine": "noise", "knowledge": "none", "steps": 1}, "noise"),
        ({"engine": "noise", "knowledge": "none", "steps": 1, "surface": "support"}, "noise"),
        ({"engine": "torchattacks:APGD"}, "attack"),
        ({"engine": "dir/my.py:Mine", "knowledge": "black-box"}, "attack"),
        ({"engine": "my.py:Mine", "knowledge": "none"}, "noise"),
    ],
)
def test_the_family_follows_from_engine_surface_and_knowledge(changes, family):
    assert recipe(**changes).family == family
    assert corruption().family == "corruption"


def test_facts_are_null_where_a_field_does_not_apply():
    facts = corruption().facts()
    assert {key for key in BUDGET_FIELDS if facts[key] is not None} == {"severity"}
    attack = recipe().facts()
    assert {key for key in BUDGET_FIELDS if attack[key] is None} == {
        "severity",
        "fraction",
        "shot_fraction",
        "class_fraction",
        "first_order",
    }
    assert (attack["loss"], attack["family"]) == (["cross-entropy", "margin"], "attack")


def test_several_mistakes_of_one_recipe_come_together():
    with pytest.raises(ValidationError) as caught:
        recipe(engine="mim", surface="both", severity=2, eps=8)
    message = str(caught.value)
    assert "acts on query or support" in message
    assert "has no 'severity'" in message
    assert "did you mean 8/255?" in message


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("pgd", "pgd"),
        ("some-new-engine", "some-new-engine"),
        ("corruption:gaussian-noise", "corruption"),
        ("torchattacks:PGDL2", "torchattacks"),
        ("a/b c/d.py:Class", "plugin"),
        ("C:\\plugins\\d.py:Class", "plugin"),
    ],
)
def test_engine_names_have_four_forms(engine, kind):
    assert engine_kind(engine).name == kind


@pytest.mark.parametrize(
    "engine", ["", "PGD", "pkg.mod:Fn", "os:system", "x.py", "x.py:", "x.py:a.b", "corruption:"]
)
def test_other_engine_names_are_refused(engine):
    with pytest.raises(ValueError, match="expected an engine NAME"):
        engine_kind(engine)
