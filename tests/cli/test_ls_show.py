"""`metarobust ls` and `show`: what there is, and each thing whole."""

import json

import pytest

from metarobust.attacks.catalogue import ENGINES
from metarobust.audit.checks import CHECKS
from metarobust.backbones.catalogue import BACKBONES
from metarobust.cli import catalogue, ls, show
from metarobust.config.audit import AuditConfig
from metarobust.config.loading import bundled_names
from metarobust.config.yaml import parse_yaml
from metarobust.core.bundled import bundled
from metarobust.corruptions import CORRUPTIONS
from metarobust.data.catalogue import DATASETS
from metarobust.learners.catalogue import LEARNERS

NAMES = {
    "attacks": bundled_names("recipe"),
    "suites": bundled_names("suite"),
    "checks": [check.name for check in CHECKS],
    "configs": [*bundled_names("audit"), *bundled_names("train"), *bundled_names("tune")],
    "engines": list(ENGINES),
    "backbones": list(BACKBONES),
    "corruptions": list(CORRUPTIONS),
    "datasets": list(DATASETS),
    "learners": list(LEARNERS),
    "checkpoints": sorted(p.stem for p in (bundled("configs") / "zoo").glob("*.json")),
}


def test_the_kinds_of_the_command_are_those_of_the_catalogue():
    assert list(ls.KINDS) == sorted(catalogue._KINDS) == sorted(NAMES)


@pytest.mark.parametrize("kind", NAMES)
def test_everything_registered_is_listed(cli, kind):
    ended = cli("ls", kind, "--json")
    assert (ended.code, ended.err) == (0, "")
    entries = json.loads(ended.out)
    assert [entry["name"] for entry in entries] == NAMES[kind]
    assert all(entry.get("summary", "?") for entry in entries), "everything has a summary"
    table = cli("ls", kind)
    assert (table.code, table.err) == (0, "")
    for name in NAMES[kind]:
        assert name in table.out


def test_learners_are_listed_with_family_and_paper(cli):
    entries = {entry["name"]: entry for entry in json.loads(cli("ls", "learners", "--json").out)}
    assert (entries["maml"]["family"], entries["mann"]["family"]) == ("initialisation", "memory")
    assert entries["maml"]["paper"] == "Finn, Abbeel & Levine, ICML 2017"
    options = "ways, inner_steps, inner_rate, norm_mode, first_order"
    assert entries["maml"]["options"] == options


@pytest.mark.parametrize("kind", ["learners", "backbones"])
def test_plug_ins_of_installed_distributions_are_listed_and_not_imported(cli, monkeypatch, kind):
    monkeypatch.setattr(
        "metarobust.assembly.components.installed_components",
        lambda registry: {"mine": "not.there:Mine"},
    )
    *_, last = json.loads(cli("ls", kind, "--json").out)
    assert (last["name"], last["summary"]) == ("mine", "Plug-in not.there:Mine.")


def test_an_empty_kind_says_so(cli, monkeypatch):
    monkeypatch.setattr(catalogue, "catalogue", lambda kind: [])
    assert cli("ls", "checkpoints") == (0, "no checkpoints\n", "")
    assert json.loads(cli("ls", "checkpoints", "--json").out) == []


def trained(folder, name, **validation):
    """A run folder as `metarobust train` leaves it, as far as a listing reads it."""
    sidecar = {
        "learner": {"name": "protonet"},
        "dataset": {"name": "glyphs"},
        "training": {
            "threat": "aq pgd-linf eps=0.1 steps=7",
            "config": {"validation": {"attack": {"surface": "query"}}},
        },
        "validation": {"gradient_evaluations": 800, "attack": "pgd-linf eps=0.1", **validation},
    }
    (folder / name).mkdir()
    (folder / name / f"{name}.json").write_text(json.dumps(sidecar))
    (folder / name / f"{name}.safetensors").touch()
    (folder / name / "state.safetensors").touch()


def test_training_runs_of_a_folder_are_listed_with_what_they_reached(cli, tmp_path):
    scores = {"accuracy": 0.9, "standard_error": 0.01, "robust_accuracy": 0.5}
    trained(tmp_path, "one", **scores, robust_standard_error=0.02)
    trained(tmp_path, "two", mse=2.0, standard_error=0.5, accuracy=None)
    one, two = json.loads(cli("ls", "checkpoints", str(tmp_path), "--json").out)
    assert (one["name"], one["gradients"]) == ("one", 800)
    assert one["attack"] == "query: pgd-linf eps=0.1"
    assert (one["meta-val"], one["under attack"]) == ("0.9000 ± 0.0196", "0.5000 ± 0.0392")
    assert (two["score"], two["meta-val"], two["under attack"]) == ("mse", "2.0000 ± 0.9800", "-")
    assert json.loads(cli("ls", "checkpoints", str(tmp_path / "one"), "--json").out) == [one]


def test_a_folder_without_trainings_and_a_kind_without_folders_are_refused(cli, tmp_path):
    assert "expected training runs" in cli("ls", "checkpoints", str(tmp_path)).err
    assert "attacks takes no FOLDER" in cli("ls", "attacks", str(tmp_path)).err
    (tmp_path / "x.safetensors").touch()
    (tmp_path / "x.json").write_text("[1]")
    ended = cli("ls", "checkpoints", str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert "expected what `metarobust train` writes" in ended.err


SHOWN = [
    *[("attack", name) for name in bundled_names("recipe")[:2]],
    *[("suite", name) for name in bundled_names("suite")],
    ("audit", "quick"),
    ("train", "protonet-glyphs"),
    ("tune", "maml-inner-loop"),
]


@pytest.mark.parametrize(("kind", "name"), SHOWN)
def test_a_thing_is_shown_whole_as_yaml_or_json(cli, kind, name):
    text, data = cli("show", kind, name), cli("show", kind, name, "--json")
    assert (text.code, text.err, data.code, data.err) == (0, "", 0, "")
    assert parse_yaml(text.out, "shown").value == json.loads(data.out)
    assert json.loads(data.out)["name"] == name


def test_a_schema_accepts_what_is_shown(cli):
    schema = json.loads(cli("show", "schema", "audit").out)
    assert schema["$schema"].endswith("2020-12/schema")
    quick = json.loads(cli("show", "audit", "quick", "--json").out)
    assert set(quick) <= set(schema["properties"])
    AuditConfig.model_validate(quick)


@pytest.mark.parametrize("name", NAMES["checkpoints"])
def test_a_checkpoint_shows_its_sidecar(cli, name):
    found = json.loads(cli("show", "checkpoint", name).out)
    assert found["schema"] == 1
    assert len(found["weights"]) == 64


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("attack", "pdg-linf", "did you mean 'pgd-linf'"),
        ("suite", "quik", "did you mean 'quick'"),
        ("audit", "quik", "did you mean 'quick'"),
        ("train", "protonet-glyph", "did you mean 'protonet-glyphs'"),
        ("schema", "recipes", "did you mean 'recipe'"),
        ("checkpoint", "nothing-like-it", "no checkpoint 'nothing-like-it'"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(cli, kind, name, message):
    ended = cli("show", kind, name)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert set(show.KINDS) >= {kind}
