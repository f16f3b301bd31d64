"""The JSON Schemas accept what the models accept."""

import pytest
from jsonschema import Draft202012Validator

from metarobust.config.schema import MODELS, schema
from metarobust.core.errors import ConfigError


@pytest.mark.parametrize("kind", MODELS)
def test_a_schema_names_exactly_the_fields_of_its_model(kind):
    found = schema(kind)
    assert found["properties"].keys() == {*MODELS[kind].model_fields, "extends"}
    assert found["additionalProperties"] is False


def test_short_forms_and_free_options_are_part_of_it():
    definitions = schema("train")["$defs"]
    word, mapping = definitions["DatasetConfig"]["anyOf"]
    assert word == {"type": "string"}
    assert mapping["additionalProperties"] is True
    assert "options" not in mapping["properties"]


def test_a_file_is_complete_or_extends_one_that_is():
    accepts = Draft202012Validator(schema("train")).is_valid
    assert accepts({"extends": "protonet-glyphs", "seed": 1})
    assert not accepts({"seed": 1})


def test_a_ratio_is_a_number_or_a_fraction():
    auto, number, fraction = schema("recipe")["properties"]["step_size"]["anyOf"]
    assert auto == {"const": "auto"}
    assert number["type"] == "number"
    assert fraction["type"] == "string"


def test_unknown_kinds_suggest_near_ones():
    with pytest.raises(ConfigError, match="unknown kind of file 'audits': did you mean 'audit'"):
        schema("audits")


def test_the_summary_of_a_run_has_one_too():
    assert schema("summary")["title"] == "summary.json of a metarobust run"
    with pytest.raises(ConfigError, match="did you mean 'summary'"):
        schema("sumary")
