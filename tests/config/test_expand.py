"""Lists of threats become recipes: suites opened, grids multiplied, labels unique."""

import pytest

from metarobust.config.expand import expand_threats
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite, ThreatEntry
from metarobust.core.errors import ConfigError

PGD = Recipe(
    name="pgd-linf", summary="s", engine="pgd", surface="query", knowledge="white-box",
    norm="linf", eps=0.1, steps=3, options={"random_start": True},
)  # fmt: skip
BLUR = Recipe(
    name="blur", summary="s", engine="corruption:gaussian-blur", surface="query", knowledge="none",
    severity=1,
)  # fmt: skip
POISON = Recipe(
    name="support-pgd", summary="s", engine="pgd", surface="support", knowledge="white-box",
    norm="linf", eps=0.1, steps=3,
)  # fmt: skip
WORST = Recipe(
    name="worst", summary="s", engine="worst-labels", surface="support", knowledge="black-box",
    fraction=0.2,
)  # fmt: skip
RECIPES = {recipe.name: recipe for recipe in (PGD, BLUR, POISON, WORST)}
SUITES = {
    "two": Suite(name="two", summary="s", threats=("blur", {"recipe": "pgd-linf", "eps": 0.2})),
    "nested": Suite(name="nested", summary="s", threats=("two",)),
}


def load(name):
    if name not in RECIPES:
        raise ConfigError(f"unknown threat '{name}'")
    return RECIPES[name]


def expand(*entries):
    parsed = [ThreatEntry.model_validate(entry) for entry in entries]
    return expand_threats(parsed, load, SUITES.get)


def labels(*entries):
    return [recipe.label for recipe in expand(*entries)]


def test_names_suites_and_changes_keep_their_order():
    assert labels("support-pgd", "two") == [
        "support-pgd linf eps=0.1 steps=3",
        "blur severity=1",
        "pgd-linf eps=0.2 steps=3",
    ]


def test_a_grid_is_the_cross_product_and_eps_varies_slowest():
    found = expand({"recipe": "pgd-linf", "steps": [1, 2], "eps": ["8/255", 0.1]})
    assert [(recipe.eps, recipe.steps) for recipe in found] == [
        (8 / 255, 1),
        (8 / 255, 2),
        (0.1, 1),
        (0.1, 2),
    ]


def test_a_poison_grid_covers_shots_and_classes():
    found = expand({"recipe": "support-pgd", "class_fraction": [0.2, 1], "shot_fraction": [0.2, 1]})
    masks = [(recipe.shot_fraction, recipe.class_fraction) for recipe in found]
    assert masks == [(0.2, 0.2), (0.2, 1), (1, 0.2), (1, 1)]
    assert found[0].label == "support-pgd linf eps=0.1 steps=3 shots=0.2 classes=0.2"


def test_changes_replace_fields_and_merge_options():
    (found,) = expand(
        {
            "recipe": "pgd-linf",
            "name": "gentle",
            "restarts": 2,
            "loss": "margin",
            "options": {"momentum": 0.9},
        }
    )
    assert found.label == "gentle linf eps=0.1 steps=3 restarts=2"
    assert found.loss == ("margin",)
    assert found.options == {"random_start": True, "momentum": 0.9}


def test_corruptions_move_between_surfaces_and_say_so():
    surfaces = [{"recipe": "blur", "surface": s} for s in ("query", "support", "both")]
    assert labels(*surfaces) == [
        "blur severity=1",
        "blur on-support severity=1",
        "blur on-both severity=1",
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["pgd-linff"], "threats.0: unknown threat 'pgd-linff'"),
        (["blur", "blur"], "threats.1: 'blur severity=1' is in threats.0 already; drop one"),
        (["two", "blur"], r"threats.1: 'blur severity=1' is in threats.0 \(suite two, threats.0\)"),
        ([{"recipe": "blur", "severity": [2, 2]}], "'blur severity=2' is in threats.0 already"),
        (["nested"], r"suite nested, threats.0\): a suite cannot hold the suite 'two'"),
        ([{"recipe": "two", "eps": 0.1}], "the suite 'two' cannot be changed, got eps"),
        ([{"recipe": "pgd-linf", "eps": [0.1, 8]}], "threats.0: pgd-linf: eps=8 exceeds the data"),
        ([{"recipe": "pgd-linf", "severity": 3}], "engine pgd on surface query has no 'severity'"),
        ([{"recipe": "pgd-linf", "surface": "support"}], "is written for the query surface; only"),
        ([{"recipe": "worst", "options": {"x": 1}}], "engine worst-labels has no options, got"),
    ],
)
def test_bad_lists_are_refused(entries, message):
    with pytest.raises(ConfigError, match=message):
        expand(*entries)


def test_all_bad_entries_are_listed():
    with pytest.raises(ConfigError) as caught:
        expand("nothing", {"recipe": "pgd-linf", "eps": 8}, "blur", "blur")
    found = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in found] == ["threats.0", "threats.1", "threats.3"]
