"""A configuration that extends others is what a person would get by writing the changes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.config.inheritance import _laid_over, resolve
from metarobust.config.loading import load_config
from metarobust.config.train import TrainConfig
from metarobust.config.yaml import read_yaml
from metarobust.core.errors import ConfigError

BASE = """\
name: base
dataset: glyphs
learner: {name: protonet, backbone: {name: conv4, width: 32}}
iterations: 100
validation: {every: 10, episodes: 20}
"""


@pytest.fixture
def load(tmp_path):
    def load(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return load_config(TrainConfig, tmp_path / f"{list(files)[-1]}.yaml", "train")

    return load


def test_mappings_are_merged_and_everything_else_replaced(load):
    child = "extends: base.yaml\nname: child\nlearner: {backbone: {width: 8}}\nseed: 3\n"
    config = load(base=BASE, child=child)
    assert (config.name, config.seed, config.iterations) == ("child", 3, 100)
    assert config.learner.name == "protonet"
    assert config.learner.backbone.options == {"width": 8}


def test_the_later_parent_wins_and_null_takes_back(load):
    budget = "iterations: null\nbudget: {gradient_evaluations: 50}\nseed: 1\n"
    child = "extends: [base.yaml, budget.yaml]\nname: child\n"
    config = load(base=BASE, budget=budget, child=child)
    assert (config.iterations, config.seed) == (None, 1)
    assert config.budget.gradient_evaluations == 50


def test_a_bundled_configuration_can_be_extended(load):
    config = load(child="extends: protonet-glyphs\nname: mine\noptimiser: {rate: 1e-2}\n")
    original = load_config(TrainConfig, "protonet-glyphs", "train")
    changed = {"name": "mine", "optimiser": original.optimiser.model_copy(update={"rate": 1e-2})}
    assert config == original.model_copy(update=changed)


def test_a_mistake_is_reported_where_it_was_written(load, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(base=BASE + "seed: x\n", child="extends: base.yaml\nname: child\ntasks: y\n")
    first, second = sorted(str(caught.value).splitlines())
    assert f"{tmp_path / 'base.yaml'}, line 6: seed" in first
    assert f"{tmp_path / 'child.yaml'}, line 3: tasks" in second


def test_a_circle_is_refused_and_shown(load):
    with pytest.raises(ConfigError, match=r"a\.yaml, line 1: extends: extends itself: .*b\.yaml"):
        load(a="extends: b.yaml\n", b="extends: a.yaml\n")


def test_a_long_chain_is_refused(load):
    files = {f"c{i}": f"extends: c{i + 1}.yaml\n" for i in range(9)}
    with pytest.raises(ConfigError, match="more than 5 levels deep"):
        load(**{"c9": BASE, **dict(reversed(files.items()))})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: 3\n", "expected a name or a file, or a list of at most 5 of these, got 3"),
        (f"extends: {['base.yaml'] * 6}\n", "or a list of at most 5"),
        ("extends: [base.yaml, {}]\n", "expected a name or a file, or a list"),
        ("extends: bas.yaml\n", "line 1: extends: no train file .*bas.yaml"),
        ("extends: protonet-glyph\n", "did you mean 'protonet-glyphs'"),
    ],
)
def test_bad_parents_are_refused(load, text, message):
    with pytest.raises(ConfigError, match=message):
        load(base=BASE, child=text)


trees = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
mappings = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


def leaves(tree, place=()):
    """The places of a tree's values that are no mappings, and those values."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*place, key))
        else:
            yield (*place, key), value


@given(mappings, mappings)
def test_merging_keeps_every_change_and_adds_nothing(below, above):
    merged = dict(leaves(_laid_over(below, above)))
    assert dict(leaves(above)).items() <= merged.items()
    assert merged.items() <= {*leaves(below), *leaves(above)}
    assert _laid_over(below, {}) == below == _laid_over({}, below) == _laid_over(below, below)


def test_origins_name_the_file_of_every_value(tmp_path):
    (tmp_path / "base.yaml").write_text("a: {b: 1, c: 2}\nd: 3\n")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\na:\n  c: 4\n")
    document = read_yaml(tmp_path / "child.yaml")
    found = resolve(document, lambda name: tmp_path / name)
    assert found.value == {"a": {"b": 1, "c": 4}, "d": 3}
    assert found.origins["a", "b"].endswith("base.yaml, line 1")
    assert found.origins["a", "c"].endswith("child.yaml, line 3")
