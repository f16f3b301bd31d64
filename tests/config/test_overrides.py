"""`--set` changes what it names, creates what may be created, and refuses the rest."""

import pytest

from metarobust.config.audit import AuditConfig
from metarobust.config.overrides import apply_overrides, parse_override
from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError

BASE = {
    "name": "x",
    "dataset": "glyphs",
    "episodes": 10,
    "learners": ["a", {"checkpoint": "b"}],
    "threats": ["quick"],
}


def changed(*texts, model=AuditConfig, base=BASE):
    return apply_overrides(base, [parse_override(text) for text in texts], model)


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("episodes=5", ("episodes",), 5),
        ("a.0.b = 1e-3", ("a", 0, "b"), 0.001),
        ("eps=8/255", ("eps",), "8/255"),
        ("x=[1, {a: no}]", ("x",), [1, {"a": "no"}]),
        ("x=null", ("x",), None),
        ("x='1'", ("x",), "1"),
        ("root=/data/my pictures=1", ("root",), "/data/my pictures=1"),
        ("root=C:\\data", ("root",), "C:\\data"),
    ],
)
def test_paths_and_values_are_parsed(text, place, value):
    override = parse_override(text)
    assert (override.place, override.value) == (place, value)


@pytest.mark.parametrize("text", ["episodes", "=5", "a..b=1", ".a=1", "episodes=", "a= ", ""])
def test_other_forms_are_refused(text):
    with pytest.raises(ConfigError, match=r"--set .*: expected PATH=VALUE"):
        parse_override(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=!!python/name:os.system x", "YAML tags are not allowed"),
        ("a=&x 1", "anchors are not allowed"),
        ("a=*x", "aliases are not allowed"),
        ("a={b: 1, b: 2}", "duplicate key 'b'"),
        ("a=[1, 2", "not YAML"),
        ("a=# nothing", "empty"),
    ],
)
def test_values_are_strict_yaml(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_override(text)
    assert str(caught.value).startswith("--set a=")


def test_nested_values_are_replaced_and_the_rest_is_kept():
    result = changed("learners.1.label=mine", "protocol.shots=1", "episodes=3", "episodes=4")
    assert result == {
        **BASE,
        "episodes": 4,
        "learners": ["a", {"checkpoint": "b", "label": "mine"}],
        "protocol": {"shots": 1},
    }
    assert BASE["learners"] == ["a", {"checkpoint": "b"}]


def test_a_short_form_is_written_out_before_it_is_changed():
    result = changed("learners.0.norm_mode=batch", "dataset.root=/x", "threats.0.eps=0.1")
    assert result["learners"][0] == {"checkpoint": "a", "norm_mode": "batch"}
    assert result["dataset"] == {"name": "glyphs", "root": "/x"}
    assert result["threats"] == [{"recipe": "quick", "eps": 0.1}]


def test_options_inside_free_options_may_be_anything():
    base = {"name": "x", "learner": {"name": "maml", "backbone": "conv4"}}
    result = changed("learner.backbone.width=32", "learner.rate=1", model=TrainConfig, base=base)
    assert result["learner"] == {
        "name": "maml",
        "backbone": {"name": "conv4", "width": 32},
        "rate": 1,
    }
    assert changed("learners.0.options.steps=3")["learners"][0]["options"] == {"steps": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("protocl.ways=5", "unknown key 'protocl'; did you mean 'protocol'?"),
        ("protocol.wayz=5", "unknown key 'wayz'; did you mean 'ways'?"),
        ("learners.2.label=x", "expected an index from 0 to 1 after 'learners', got 2"),
        ("learners.first.label=x", "expected an index from 0 to 1 after 'learners', got 'first'"),
        ("episodes.each=5", "episodes is 10, which has no parts"),
        ("learners.0.lable=x", "unknown key 'lable'; did you mean 'label'?"),
    ],
)
def test_unknown_paths_are_refused_with_near_names(text, message):
    with pytest.raises(ConfigError) as caught:
        changed(text)
    assert str(caught.value) == f"--set {text}: {message}"


def test_all_unknown_paths_are_listed():
    with pytest.raises(ConfigError) as caught:
        changed("protocl.ways=5", "episods=3")
    assert len(str(caught.value).splitlines()) == 2
