"""The published schema of report.json is that of its models, and takes what they take."""

import json
from copy import deepcopy

import jsonschema
import pytest
from helpers.pages import PAGES
from pydantic import ValidationError

from nmcompile.report import ReportFile
from nmcompile.report.json_schema import published_schema, report_schema

CHANGES = {
    "a field too many": lambda told: told.update(more=1),
    "a field less": lambda told: told.pop("floor"),
    "a text for a number": lambda told: told["layers"][0].update(neurons="64"),
    "another format": lambda told: told.update(format=2),
    "an accuracy above 1": lambda told: told.update(accuracy=1.5),
    "no sample": lambda told: told.update(samples=0),
    "a direction that there is not": lambda told: told["look"]["links"].update(
        column=[0], row=[0], direction=["up"], packets=[1.0]),
}


@pytest.fixture(scope="module")
def schema():
    found = json.loads(published_schema().read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_published_schema_is_that_of_the_models():
    assert json.loads(published_schema().read_text("utf-8")) == report_schema(), (
        "run python -m nmcompile.report.json_schema")


@pytest.mark.parametrize("name", ["graded", "relays", "spinnaker"])
def test_reports_keep_to_the_schema(schema, name):
    schema.validate(json.loads(json.dumps(PAGES[name](), allow_nan=False)))


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_models_refuse_the_schema_refuses(schema, relayed, change):
    told = deepcopy(relayed)
    CHANGES[change](told)
    assert not schema.is_valid(told)
    with pytest.raises(ValidationError):
        ReportFile.model_validate(told)


@pytest.fixture(scope="module")
def relayed():
    return PAGES["relays"]()
