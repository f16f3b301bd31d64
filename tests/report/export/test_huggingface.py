"""Model cards: metadata in the hub's form, numbers of the learner alone, hostile names harmless."""

import re
from dataclasses import replace

import pytest
import yaml

from metarobust.report.export.huggingface import metadata, render_card, to_huggingface
from tests.support.gate_example import gate_example


def head_of(text):
    start, head, body = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(head), body


def test_one_card_a_learner_with_its_own_numbers(model, tmp_path):
    assert to_huggingface(model, tmp_path) == str(tmp_path)
    cards = {path.parent.name: path.read_text() for path in tmp_path.glob("*/README.md")}
    assert cards.keys() == {"protonet", "maml"}
    head, body = head_of(cards["protonet"])
    (entry,) = head["model-index"]
    assert entry["name"] == "protonet"
    assert "maml" not in body
    assert "figures/" not in body


def test_the_metadata_has_what_the_model_card_specification_asks_for(model):
    rows = tuple(row for row in model.rows if row.learner == "maml")
    (result,) = metadata("maml", rows)["model-index"][0]["results"]
    assert result["task"]["type"] == "image-classification"
    assert {"type", "name"} <= result["dataset"].keys()
    for metric in result["metrics"]:
        assert {"type", "value", "name"} <= metric.keys()
    clean = next(m for m in result["metrics"] if m["name"] == "accuracy on clean images")
    row = next(row for row in rows if row.kind == "clean")
    assert clean["value"] == row.accuracy.value
    assert clean["args"]["interval"] == [row.accuracy.low, row.accuracy.high]
    assert clean["args"]["episodes"] == 40


def test_doubtful_cells_are_in_the_text_and_not_in_the_metadata(model):
    card = next(card for card in model.scorecards if card.learner == "maml")
    head, body = head_of(render_card(model, card))
    names = " ".join(m["name"] for r in head["model-index"][0]["results"] for m in r["metrics"])
    assert "fgsm-linf eps=8/255" in names
    assert "fgsm-linf eps=16/255" not in names
    assert "**suspect**" in body


def test_the_hub_reads_every_number(model):
    cards = pytest.importorskip("huggingface_hub.repocard_data")
    index = metadata("maml", model.rows)["model-index"]
    name, results = cards.model_index_to_eval_results(index)
    assert name == "maml"
    assert len(results) == sum(len(r["metrics"]) for r in index[0]["results"])
    assert cards.eval_results_to_model_index(name, results)[0]["name"] == "maml"


def test_gates_are_those_of_the_learner():
    model = gate_example()
    text = render_card(model, model.scorecards[0])
    assert "All 5 gates passed." in text
    assert "failed" not in text.partition("## Scorecard")[0]


def test_hostile_names_stay_names(hostile_model, tmp_path):
    to_huggingface(hostile_model, tmp_path)
    files = list(tmp_path.rglob("*.md"))
    assert len(files) == len(hostile_model.scorecards)
    assert all(path.parent.parent == tmp_path for path in files)
    for path in files:
        head, body = head_of(path.read_text())
        assert head["model-index"][0]["name"] in {c.learner for c in hostile_model.scorecards}
        assert "<script>" not in re.sub(r"(?s)\n(```+)\n.*?\n\1\n", "", body)


def test_learners_whose_names_look_alike_get_folders_of_their_own(model, tmp_path):
    to_huggingface(replace(model, scorecards=model.scorecards * 2), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"protonet", "protonet-2", "maml", "maml-2"}
