"""What ships: every recipe, suite and configuration loads, and names things that exist."""

import re
import sys

import pytest

from metarobust.assembly.data_recipes import MAKERS
from metarobust.attacks.catalogue import ENGINES
from metarobust.attacks.external_catalogue import TORCHATTACKS
from metarobust.attacks.foolbox_catalogue import FOOLBOX
from metarobust.config.audit import AuditConfig
from metarobust.config.catalogue import find_suite, load_recipe
from metarobust.config.expand import expand_threats
from metarobust.config.loading import bundled_folder, bundled_names, load_config
from metarobust.config.recipe import Recipe
from metarobust.config.suite import ThreatEntry
from metarobust.config.train import TrainConfig
from metarobust.config.tune import TuneConfig
from metarobust.config.yaml import parse_yaml
from metarobust.core.errors import ConfigError
from metarobust.corruptions import CORRUPTIONS

REQUIRED = {
    "omniglot": ["dataset.root=/data"],
    "folder": ["dataset.root=/data", "learners.0.checkpoint=mine.safetensors"],
    "vectors": ["dataset.file=/data.npz", "learners.0.checkpoint=mine.safetensors"],
}


@pytest.mark.parametrize("name", bundled_names("recipe"))
def test_every_recipe_is_documented_and_its_engine_exists(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.citation
    assert recipe.notes
    family, _, member = recipe.engine.partition(":")
    members = {"corruption": CORRUPTIONS, "torchattacks": TORCHATTACKS, "foolbox": FOOLBOX}
    assert (
        member in members[family]
        if member
        else family in (*ENGINES, *MAKERS, "smoothing", "swap", "transfer", "universal")
    )


def test_recipe_labels_are_unique_and_stamp_the_budget():
    recipes = expand_threats([ThreatEntry(recipe=name) for name in bundled_names("recipe")])
    assert len(recipes) == len(bundled_names("recipe"))
    for recipe in recipes:
        assert recipe.label.startswith(recipe.name)
        budget = {"eps": recipe.eps, "severity": recipe.severity, "fraction": recipe.fraction}
        budget["steps"] = recipe.steps > 1
        stamped = any(f" {key}=" in recipe.label for key, value in budget.items() if value)
        assert stamped or recipe.family == "certificate"
        assert recipe.steps == 1 or f" steps={recipe.steps}" in recipe.label
        assert recipe.norm is None or recipe.norm in recipe.label


def test_every_norm_attacked_has_its_noise_floor():
    recipes = [load_recipe(name) for name in bundled_names("recipe")]
    floors = {(r.norm, r.surface) for r in recipes if r.family == "noise"}
    for recipe in recipes:
        if recipe.family in ("attack", "poison") and recipe.norm is not None:
            surfaces = {"both": ("query", "support")}.get(recipe.surface, (recipe.surface,))
            assert {(recipe.norm, surface) for surface in surfaces} <= floors


@pytest.mark.parametrize("name", bundled_names("suite"))
def test_every_suite_expands_into_unique_threats(name):
    assert name not in bundled_names("recipe")
    suite = find_suite(name)
    assert suite is not None
    recipes = expand_threats([ThreatEntry(recipe=name)])
    assert len({recipe.label for recipe in recipes}) == len(recipes) >= len(suite.threats)


def test_quick_compares_noise_one_step_and_many_at_equal_budgets():
    grids = {}
    for recipe in expand_threats([ThreatEntry(recipe="quick")]):
        grids.setdefault(recipe.name, []).append(recipe.eps)
    assert (
        grids["noise-linf"] == grids["fgsm-linf"] == grids["pgd-linf"] == [8 / 255, 16 / 255, 0.1]
    )
    assert grids["support-noise-linf"] == grids["support-pgd-linf"] == [0.1]


def test_searches_of_quick_can_cross_the_ball():
    for recipe in expand_threats([ThreatEntry(recipe="quick")]):
        if recipe.engine == "pgd":
            assert recipe.steps * recipe.step_size >= 2


@pytest.mark.parametrize("name", bundled_names("audit"))
def test_every_audit_loads_once_what_it_asks_for_is_given(name):
    config = load_config(AuditConfig, name, "audit", REQUIRED.get(name, []))
    assert config.name == name
    assert expand_threats(config.threats)


@pytest.mark.parametrize("name", REQUIRED)
def test_audits_ask_for_what_only_the_user_knows(name):
    with pytest.raises(ConfigError) as caught:
        load_config(AuditConfig, name, "audit")
    found = str(caught.value).splitlines()
    assert len(found) == len(REQUIRED[name])
    for line, override in zip(found, REQUIRED[name], strict=True):
        assert f"--set {override.partition('=')[0]}=VALUE" in line


@pytest.mark.parametrize("name", bundled_names("train"))
def test_every_training_loads(name):
    given = [f"dataset.{'file' if name.endswith('-vectors') else 'root'}=/data"]
    assert load_config(TrainConfig, name, "train", given).name == name


@pytest.mark.parametrize("name", bundled_names("tune"))
def test_every_search_loads_and_so_does_its_training(name):
    search = load_config(TuneConfig, name, "tune")
    for path in search.search:
        assert load_config(TrainConfig, search.train, "train", [f"{path}=1"])


def test_unknown_threats_suggest_recipes_and_suites():
    with pytest.raises(ConfigError, match="unknown threat 'pgd-lin': did you mean 'pgd-linf'"):
        load_recipe("pgd-lin")
    with pytest.raises(ConfigError, match="unknown threat 'quik': did you mean 'quick'"):
        load_recipe("quik")
    assert find_suite("pgd-linf") is None


def test_a_recipe_must_bear_the_name_of_its_file(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text((bundled_folder("recipe") / "pgd-linf.yaml").read_text())
    with pytest.raises(ConfigError, match="name: expected 'other', as the file, got 'pgd-linf'"):
        load_recipe(str(path))


def test_a_plugin_is_found_beside_its_recipe():
    example = bundled_folder("recipe") / "examples" / "random-sign.yaml"
    recipe = load_recipe(str(example))
    assert recipe.engine == f"{example.parent / 'random_sign.py'}:RandomSign"
    assert recipe.label == "random-sign linf eps=8/255 steps=20"
    assert not [name for name in sys.modules if name.endswith("random_sign")]


def test_the_readme_names_every_field_and_its_examples_work():
    readme = (bundled_folder("recipe") / "README.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) >= set(Recipe.model_fields)
    recipe, threats = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    label = Recipe.model_validate(parse_yaml(recipe, "README").value).label
    assert label == "pgd-linf-strong eps=8/255 steps=100 restarts=10"
    entries = parse_yaml(threats, "README").value["threats"]
    labels = [r.label for r in expand_threats([ThreatEntry.model_validate(e) for e in entries])]
    assert labels[-3:] == [
        "pgd-linf eps=16/255 steps=100 restarts=2",
        "contrast on-both severity=3",
        "pgd-linf-clean-start eps=8/255 steps=20 restarts=2",
    ]
    assert "pgd-linf eps=8/255 steps=20 restarts=2" in readme
