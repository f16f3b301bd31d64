"""The published schema of `summary.json` fits every summary, and nothing else of its shape."""

import json

import jsonschema
import pytest

from metarobust.audit.scores import SCORES
from metarobust.config.schema import schema
from metarobust.report.model import build_report
from metarobust.report.tables import SUMMARY_SCHEMA, render_summary
from tests.report.regenerate_gallery import GALLERY
from tests.support.gate_example import gate_example


@pytest.fixture(scope="module")
def check():
    published = schema("summary")
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published).validate


def summary(model):
    return json.loads(render_summary(model))


def test_summaries_of_all_sorts_fit(check, model, hostile_model, limited_model, empty_model):
    for each in (model, hostile_model, limited_model, empty_model, gate_example()):
        check(summary(each))


def test_the_gallery_fits(check):
    files = list(GALLERY.parent.glob("*/summary.json"))
    assert len(files) >= 2
    for file in files:
        check(json.loads(file.read_text()))


def test_a_run_that_lacks_facts_fits(check, run):
    check(summary(build_report({}, run.scored[:2], run.verdicts)))


def walk(node, place=()):
    yield place, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*place, key))


def test_every_object_is_closed_and_every_key_is_promised(check):
    """So that a reader may rely on every key, and a new one cannot slip in unpublished."""
    free = {("properties", name) for name in ("protocol", "provenance", "versions")}
    for place, node in walk(schema("summary")):
        if isinstance(node, dict) and node.get("type") == "object" and place not in free:
            assert node["required"] == list(node["properties"])
            if place[-1:] != ("scores",):
                assert node["additionalProperties"] is False


def test_it_names_the_scores_and_the_version_there_are():
    published = schema("summary")
    assert published["$defs"]["cell"]["properties"]["scores"]["required"] == list(SCORES)
    assert published["properties"]["schema"] == {"const": SUMMARY_SCHEMA}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("gates"),
        lambda s: s.update(extra=1),
        lambda s: s["cells"][0]["scores"]["accuracy"].update(value="0.9"),
        lambda s: s["cells"][0].update(status="fine"),
        lambda s: s["cells"][0]["scores"].pop("ece"),
    ],
)
def test_other_shapes_do_not_fit(check, model, spoil):
    spoilt = summary(model)
    spoil(spoilt)
    with pytest.raises(jsonschema.ValidationError):
        check(spoilt)
