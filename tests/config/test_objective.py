"""Objectives: short forms, complete and possible budgets, and what a sidecar calls them."""

import pytest

from metarobust.config.mistakes import validate
from metarobust.config.model import plain
from metarobust.config.objective import ObjectiveConfig
from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError

ATTACK = {"eps": 0.1}
FAST = {"engine": "fgsm-rs", "eps": 0.1}
BASE = {
    "name": "x",
    "dataset": "glyphs",
    "learner": {"name": "protonet", "backbone": "conv4"},
    "validation": {"every": 1, "episodes": 2, "attack": {"eps": 0.1, "steps": 10}},
    "iterations": 3,
}
THREATS = [
    ("episodic", "none"),
    ("classification", "none"),
    ({"name": "aq", "attack": ATTACK}, "aq pgd-linf eps=0.1 steps=7"),
    ({"name": "as", "attack": ATTACK | {"first_order": True}},
     "as pgd-linf eps=0.1 steps=7 first-order"),
    ({"name": "adml", "attack": {"norm": "l2", "eps": 1, "restarts": 2}},
     "adml pgd-l2 eps=1 steps=7 restarts=2"),
    ({"name": "r-maml", "attack": {"engine": "fgsm-rs", "eps": "8/255"}, "labels": "predicted"},
     "r-maml fgsm-rs-linf eps=8/255 beta=1 predicted-labels"),
    ({"name": "r-maml", "attack": ATTACK, "term": "kl", "beta": 5},
     "r-maml pgd-linf eps=0.1 steps=7 kl beta=5"),
    ({"name": "label-noise", "fraction": 0.2}, "label-noise fraction=0.2"),
    ({"name": "corruption", "corruption": "contrast", "severity": 3, "surface": "query"},
     "corruption contrast severity=3 on-query"),
    ({"name": "mixture", "parts": ["episodic", {"name": "aq", "attack": ATTACK, "weight": 3}]},
     "0.25 clean + 0.75 aq pgd-linf eps=0.1 steps=7"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "threat"), THREATS)
def test_what_a_training_is_called_and_that_its_plain_form_is_the_same(written, threat):
    config = TrainConfig.model_validate({**BASE, "objective": written})
    assert config.objective.threat == threat
    assert TrainConfig.model_validate(plain(config)) == config


MISTAKES = [
    ("aqq", "objective: expected 'episodic', 'classification', 'aq'"),
    ("aq", "objective: objective aq needs 'attack'"),
    ({"name": "episodic", "beta": 2}, "objective episodic has no 'beta', got 2.0; remove it"),
    ({"name": "label-noise", "fraction": 0.1, "attack": ATTACK}, "has no 'attack', got it"),
    ({"name": "corruption", "corruption": "contrast"}, "objective corruption needs 'severity'"),
    ({"name": "aq", "attack": {"eps": 8}}, "objective.attack: eps=8 exceeds .* did you mean 8/255"),
    ({"name": "aq", "attack": {"engine": "fgsm", "eps": 0.1, "steps": 3}}, "fgsm takes one step"),
    ({"name": "aq", "attack": {"epz": 0.1}}, "objective.attack.epz: unknown key 'epz'; did you"),
    ({"name": "aq", "attack": {"engine": "apgd", "eps": 0.1}}, "objective.attack.engine: expected"),
    ({"name": "r-maml", "term": "kl", "attack": ATTACK, "labels": "predicted"}, "at no labels"),
    ({"name": "r-maml", "term": "kl", "attack": ATTACK | {"loss": "margin"}}, "got loss margin"),
    ({"name": "r-maml", "term": "kl", "attack": ATTACK | {"engine": "fgsm"}}, "has no slope"),
    ({"name": "mixture"}, "objective mixture needs 'parts'"),
    ({"name": "mixture", "parts": [{"name": "aq"}]}, "objective.parts.0: objective aq needs"),
    ({"name": "mixture", "parts": ["classification"]}, "one episode, got classification"),
]


@pytest.mark.parametrize(("written", "message"), MISTAKES)
def test_mistakes_are_told_where_they_were_written(written, message):
    with pytest.raises(ConfigError, match=message):
        validate(TrainConfig, {**BASE, "objective": written}, {(): "mine.yaml"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": None}, "expected either iterations or budget, got neither"),
        ({"budget": {"gradient_evaluations": 9}}, "either iterations or budget, got both"),
        ({"validation": {"every": 1, "episodes": 1, "select": "robust"}}, "needs an attack"),
        (
            {"validation": {"every": 1, "episodes": 1, "attack": {"surface": "support", "eps": 1}}},
            "set validation.protocol.attacker_queries to at least 1",
        ),
        (
            {
                "objective": {"name": "aq", "attack": FAST},
                "validation": {"every": 1, "episodes": 1},
            },
            "only one of many steps shows",
        ),
        (
            {
                "objective": {"name": "mixture", "parts": [{"name": "aq", "attack": FAST}]},
                "validation": {"every": 1, "episodes": 1, "attack": FAST},
            },
            "set validation.attack, such as {eps: 0.1, steps: 10}",
        ),
        ({"optimiser": {"average": 1}}, "optimiser.average"),
        ({"optimiser": {"clip": 0}}, "optimiser.clip: expected more than 0, got 0"),
    ],
)
def test_the_rest_of_a_training_must_fit(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate(TrainConfig, {**BASE, **changes}, {(): "mine.yaml"})


@pytest.mark.parametrize(
    ("engine", "usual"), [("pgd", (7, 0.25)), ("fgsm", (1, 1.0)), ("fgsm-rs", (1, 1.25))]
)
def test_engines_have_their_usual_steps(engine, usual):
    attack = ObjectiveConfig(name="aq", attack={"engine": engine, "eps": 0.1}).attack
    assert (attack.steps, attack.step_size) == usual


def test_single_steps_are_known_inside_a_mixture_too():
    fast = {"name": "aq", "attack": {"engine": "fgsm", "eps": 0.1}}
    parts = ["episodic", fast]
    assert ObjectiveConfig.model_validate({"name": "mixture", "parts": parts}).single_step
    assert not ObjectiveConfig(name="aq", attack=ATTACK).single_step
