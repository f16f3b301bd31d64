"""Files become models, or one error lists every mistake with its place and its cure."""

import pytest

from metarobust.config.audit import AuditConfig
from metarobust.config.loading import bundled_names, find_file, load_config
from metarobust.config.recipe import Recipe
from metarobust.config.schema import MODELS
from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError

AUDIT = """\
name: mine
dataset: glyphs
episodes: 10
learners: [a]
threats: [quick]
"""

RECIPE = """\
name: mine
summary: Mine.
engine: pgd
surface: query
knowledge: white-box
norm: linf
eps: 8/255
steps: 5
"""


@pytest.fixture
def load(tmp_path):
    def load(text, model=AuditConfig, kind="audit", overrides=()):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return load_config(model, path, kind, overrides)

    return load


def mistakes(load, *args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return str(caught.value).splitlines()


def test_a_file_is_read_with_its_defaults_and_short_forms(load):
    config = load(AUDIT)
    assert config.dataset.name == "glyphs"
    assert config.learners[0].checkpoint == "a"
    assert config.threats[0].recipe == "quick"
    assert (config.protocol.ways, config.block, config.seed, config.workers) == (5, 10, 0, "auto")


def test_all_mistakes_are_listed_with_file_line_path_and_cure(load):
    text = AUDIT + "protocol:\n  wayz: 5\n  ways: 0\nseed: no\nlerners: []\n"
    found = mistakes(load, text)
    prefix = found[0].partition("mine.yaml")[0] + "mine.yaml, line "
    assert sorted(line.removeprefix(prefix) for line in found) == [
        "10: lerners: unknown key 'lerners'; did you mean 'learners'?",
        "7: protocol.wayz: unknown key 'wayz'; did you mean 'ways'?",
        "8: protocol.ways: expected at least 1, got 0",
        "9: seed: expected a whole number, got 'no'",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("episodes: 0", "episodes: expected at least 1, got 0"),
        ("episodes: '10'", "episodes: expected a whole number, got '10'"),
        ("episodes: true", "episodes: expected a whole number, got true"),
        ("episodes: 2.5", "episodes: expected a whole number, got 2.5"),
        ("name: 2024", "name: expected text (quoted, if it looks like a number), got 2024"),
        ("name: ../../x", "name: expected a name of 1 to 64 letters"),
        ("dataset: [a]", "dataset: expected a mapping (KEY: VALUE lines), got ['a']"),
        ("dataset: {root: x}", "dataset.name: required, but not given"),
        ("dataset: {name: x, options: {a: 1}, a: 2}", "dataset: option 'a' is given twice"),
        ("learners: []", "learners: expected at least 1"),
        ("learners: a", "learners: expected a list, got 'a'"),
        ("learners: [a, a]", "2 learners are labelled 'a'; give each a 'label'"),
        ("learners: [{checkpoint: a, norm_mode: bath}]", "0.norm_mode: expected 'running'"),
        ("learners: [{checkpoint: a, options: {norm_mode: batch}}]", "norm_mode stands beside"),
        ("threats: [{recipe: pgd-linf, epss: 1}]", "threats.0.epss: unknown key 'epss'; did you"),
        ("threats: [{recipe: pgd-linf, eps: [0.1, x]}]", "threats.0.eps.1: expected number or"),
        ("threats: [{recipe: pgd-linf, eps: 8/0}]", "threats.0.eps: expected number or fraction"),
        ("threats: [{recipe: x, severity: 6}]", "threats.0.severity: expected at most 5, got 6"),
        ("threats: [{recipe: x, fraction: 0}]", "threats.0.fraction: expected more than 0, got 0"),
        ("threats: [{recipe: x, steps: []}]", "threats.0.steps: expected at least 1"),
        ("workers: many", "workers: expected auto or a whole number of at least 1, got 'many'"),
        ("workers: true", "workers: expected auto or a whole number of at least 1, got true"),
        ("device: gpu", "device: expected auto, cpu, cuda or cuda:K, got 'gpu'"),
        ("protocol: {shots: 0}", "protocol.shots: expected at least 1, got 0"),
        ("protocol: {queries: 0}", "protocol.queries: expected at least 1, got 0"),
        ("protocol: {split: tset}", "protocol.split: expected 'train', 'val' or 'test', got 'tse"),
        ("protocol: {attacker_queries: -1}", "protocol.attacker_queries: expected at least 0"),
    ],
)  # fmt: skip
def test_each_bad_audit_says_what_was_expected_and_what_came(load, line, message):
    key = line.partition(":")[0]
    kept = [old for old in AUDIT.splitlines() if not old.startswith(f"{key}:")]
    found = mistakes(load, "\n".join([*kept, line]))
    assert len(found) == 1
    assert message in found[0]
    assert "mine.yaml" in found[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("eps: 8", "eps=8 exceeds the data range [0,1]; did you mean 8/255?"),
        ("eps: 300", "eps=300 exceeds the data range [0,1]; images are floats"),
        ("eps: -0.1", "eps: expected at least 0, got -0.1"),
        ("eps: .nan", "eps: expected number or fraction like 8/255, got '.nan'"),
        ("eps: 8 / 0", "eps: expected number or fraction like 8/255, got '8 / 0'"),
        ("eps: true", "eps: expected number or fraction like 8/255, got true"),
        ("eps: null", "engine pgd needs 'eps'"),
        ("norm: null", "engine pgd needs 'norm'"),
        ("norm: l3", "norm: expected 'linf', 'l2' or 'l1', got 'l3'"),
        ("steps: 0", "steps: expected at least 1, got 0"),
        ("step_size: 0", "step_size: expected more than 0, got 0"),
        ("severity: 3", "engine pgd on surface query has no 'severity', got 3; remove it"),
        ("shot_fraction: 0.5", "engine pgd on surface query has no 'shot_fraction'"),
        ("first_order: yes", "first_order: expected true or false, got 'yes'"),
        ("first_order: true", "engine pgd on surface query has no 'first_order'"),
        ("loss: [margin, margin]", "loss: expected each loss once"),
        (
            "loss: hinge",
            "loss: expected 'cross-entropy', 'margin', 'dlr', 'targeted-margin', 'targeted-dlr' or "
            "'squared-error', got 'hinge'",
        ),
        ("knowledge: none", "expected knowledge black-box or white-box, got none"),
        ("engine: pkg.mod:Fn", "engine: expected an engine NAME, corruption:NAME, torchattacks"),
        ("engine: corruption:contrast", "engine corruption:contrast needs 'severity'"),
        ("engine: label-noise", "engine label-noise acts on support, got surface query"),
        ("engine: fgsm", "fgsm takes one step, got 5; use engine pgd"),
        ("engine: noise", "engine noise on surface query has no 'steps', got 5; remove it"),
    ],
)
def test_each_impossible_recipe_says_why(load, change, message):
    key = change.partition(":")[0]
    kept = [old for old in RECIPE.splitlines() if not old.startswith(f"{key}:")]
    found = mistakes(load, "\n".join([*kept, change]), Recipe, "recipe")
    assert len(found) == 1
    assert message in found[0]


def test_pgd_must_be_told_its_steps(load):
    found = mistakes(load, RECIPE.replace("steps: 5\n", ""), Recipe, "recipe")
    assert "engine pgd needs 'steps'" in found[0]


def test_fgsm_may_not_stay_inside_the_ball(load):
    text = RECIPE.replace("pgd", "fgsm").replace("steps: 5", "steps: 1")
    assert "fgsm with step_size 0.25 stays inside the ball" in mistakes(load, text, Recipe)[0]


def test_an_l2_ball_may_be_wider_than_one_pixel(load):
    text = RECIPE.replace("linf", "l2").replace("8/255", "2")
    assert load(text, Recipe, "recipe").eps == 2


def test_overrides_win_and_own_their_mistakes(load):
    assert load(AUDIT, overrides=["episodes=3", "learners.0.label=me"]).learners[0].title == "me"
    found = mistakes(load, AUDIT, overrides=["protocol.ways=0", "dataset={}"])
    assert sorted(found) == [
        "--set dataset={}: dataset.name: required, but not given",
        "--set protocol.ways=0: protocol.ways: expected at least 1, got 0",
    ]


def test_values_left_to_the_user_are_asked_for(load):
    text = AUDIT.replace("dataset: glyphs", "dataset:\n  name: folder\n  root: ???")
    assert mistakes(load, text)[0].endswith(
        "line 4: dataset.root: not set; give it with --set dataset.root=VALUE"
    )
    assert load(text, overrides=["dataset.root=/x"]).dataset.options == {"root": "/x"}


def test_values_left_to_the_user_are_asked_for_once_whatever_their_type(load):
    found = mistakes(load, AUDIT.replace("episodes: 10", "episodes: ???"))
    assert len(found) == 1
    assert found[0].endswith("episodes: not set; give it with --set episodes=VALUE")


def test_training_never_sees_or_selects_on_other_classes(load):
    text = """\
name: t
dataset: glyphs
learner: {name: maml, backbone: conv4, inner_steps: 3}
iterations: 5
validation: {every: 1, episodes: 2}
"""
    config = load(text, TrainConfig, "train")
    assert config.learner.options == {"inner_steps": 3}
    assert (config.protocol.split, config.validation_protocol.split) == ("train", "val")
    for place in ("protocol", "validation.protocol"):
        found = mistakes(load, text, TrainConfig, overrides=[f"{place}.split=test"])
        assert f"{place}.split: expected" in found[0]


def test_validation_has_the_shape_of_training_unless_it_says_otherwise(load):
    text = """\
name: t
dataset: glyphs
learner: {name: protonet, backbone: conv4}
protocol: {ways: 20, shots: 1, queries: 3}
iterations: 5
validation: {every: 1, episodes: 2}
"""
    same = load(text, TrainConfig, "train").validation_protocol
    other = load(text, TrainConfig, overrides=["validation.protocol.ways=5"], kind="train")
    assert (same.ways, same.shots, same.queries) == (20, 1, 3)
    assert (other.validation_protocol.ways, other.validation_protocol.shots) == (5, 5)


def test_unknown_names_suggest_near_ones(tmp_path):
    with pytest.raises(ConfigError, match="unknown audit 'quik': did you mean 'quick'"):
        find_file("quik", "audit")
    with pytest.raises(ConfigError, match=r"no audit file .*quick\.yaml; of the bundled ones"):
        find_file(tmp_path / "quick.yaml", "audit")
    with pytest.raises(ConfigError, match="no suite file"):
        find_file("../../no/such", "suite")
    with pytest.raises(ConfigError, match="no recipe file"):
        find_file("x" * 5000 + ".yaml", "recipe")
    with pytest.raises(ConfigError, match="no recipe file"):
        find_file("nul\x00l.yaml", "recipe")


def test_a_name_is_bundled_and_a_path_is_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(AUDIT)
    (tmp_path / "quick").mkdir()
    assert load_config(AuditConfig, "quick", "audit").name == "quick"
    assert load_config(AuditConfig, "quick.yaml", "audit").name == "mine"
    assert load_config(AuditConfig, "./quick.yaml", "audit").name == "mine"


def test_there_is_a_model_for_every_kind_of_file():
    for kind in MODELS:
        assert bundled_names(kind)
