"""A configuration is its plain form: through JSON or YAML and back, nothing changes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from metarobust.config.audit import AuditConfig
from metarobust.config.model import plain
from metarobust.config.recipe import Recipe
from metarobust.config.suite import Suite
from metarobust.config.train import TrainConfig
from metarobust.config.yaml import dump_yaml, parse_yaml
from metarobust.core.jsonio import canonical_json

words = st.from_regex(r"[a-z][a-z0-9-]{0,9}[a-z0-9]", fullmatch=True).filter(
    lambda word: word not in ("con", "prn", "aux", "nul") and not word.startswith(("com", "lpt"))
)
text = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
labels = text.filter(str.strip).filter(str.isprintable)
counts = st.integers(1, 10**6)
shares = st.floats(0, 1, exclude_min=True) | st.integers(1, 255).map(lambda k: f"{k}/255")
option_values = st.none() | st.booleans() | st.integers(-5, 10**12) | shares | text
options = st.dictionaries(words.map("o_{}".format), option_values, max_size=3)


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


def joined(*parts):
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


def grid(values):
    return values | st.lists(values, min_size=1, max_size=3)


named = st.fixed_dictionaries({"name": words})
protocols = optional(
    ways=st.integers(2, 50),
    shots=counts,
    queries=counts,
    attacker_queries=st.integers(0, 9),
    replacement=st.sampled_from(["classes", "disjoint"]),
)
entries = words | joined(
    st.fixed_dictionaries({"recipe": words}),
    optional(
        name=words,
        eps=grid(shares),
        severity=grid(st.integers(1, 5)),
        shot_fraction=grid(shares),
        steps=grid(counts),
        step_size=shares,
        loss=st.sampled_from(["margin", ["margin", "cross-entropy"]]),
        first_order=st.booleans(),
        options=options,
    ),
)
learners = st.lists(
    joined(
        st.fixed_dictionaries({"checkpoint": text, "label": labels}),
        optional(norm_mode=st.sampled_from(["batch", None]), options=options),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda entry: entry["label"],
)
datasets = words | joined(named, options)
audits = joined(
    named,
    st.fixed_dictionaries(
        {
            "dataset": datasets,
            "episodes": counts,
            "learners": learners,
            "threats": st.lists(entries, max_size=3),
        }
    ),
    optional(
        protocol=protocols,
        seed=st.integers(0, 2**63),
        block=counts,
        workers=counts | st.just("auto"),
        device=st.sampled_from(["cpu", "cuda:1"]),
    ),
)
trainings = joined(
    named,
    st.fixed_dictionaries(
        {
            "dataset": datasets,
            "learner": joined(named, st.fixed_dictionaries({"backbone": datasets}), options),
            "validation": st.fixed_dictionaries(
                {"every": counts, "episodes": counts}, optional={"protocol": protocols}
            ),
            "iterations": counts,
        }
    ),
    optional(
        protocol=protocols,
        optimiser=optional(rate=shares, name=st.sampled_from(["adam", "sgd"])),
    ),
)
recipes = joined(
    named,
    st.fixed_dictionaries(
        {"summary": text, "knowledge": st.just("white-box"), "eps": shares, "steps": counts}
    ),
    optional(citation=text, notes=text, restarts=counts, step_size=shares, options=options),
    st.sampled_from(
        [
            {"engine": "pgd", "surface": "query", "norm": "linf"},
            {"engine": "pgd", "surface": "support", "norm": "l2", "first_order": True},
            {"engine": "torchattacks:PGD", "surface": "query", "norm": "linf"},
            {"engine": "my file.py:Mine", "surface": "support", "norm": "l2", "shot_fraction": 0.5},
        ]
    ),
)
suites = joined(
    named,
    st.fixed_dictionaries({"summary": text, "threats": st.lists(entries, min_size=1, max_size=4)}),
)


def check(model, data):
    config = model.model_validate(data)
    form = plain(config)
    assert model.model_validate(json.loads(canonical_json(form))) == config
    assert plain(model.model_validate(form)) == form
    assert model.model_validate(parse_yaml(dump_yaml(form), "x").value) == config
    assert model.model_validate_json(config.model_dump_json()) == config


@given(audits)
def test_audits(data):
    check(AuditConfig, data)


@given(trainings)
def test_trainings(data):
    check(TrainConfig, data)


@given(recipes)
def test_recipes(data):
    check(Recipe, data)


@given(suites)
def test_suites(data):
    check(Suite, data)


def test_the_plain_form_spells_out_defaults_and_short_forms():
    config = AuditConfig.model_validate(
        {
            "name": "x",
            "dataset": {"name": "folder", "root": "/x"},
            "episodes": 1,
            "learners": ["a"],
            "threats": ["quick", {"recipe": "pgd-linf", "eps": "8/255"}],
        }
    )
    form = plain(config)
    assert form["dataset"] == {"name": "folder", "root": "/x"}
    assert form["threats"] == [{"recipe": "quick"}, {"recipe": "pgd-linf", "eps": [8 / 255]}]
    assert form["protocol"]["replacement"] == "classes"
