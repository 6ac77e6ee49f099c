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
    "another format": lambda told: told.update(format=3),
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


def of_format_1(told):
    """`told` as the first versions wrote it."""
    old = {key: value for key, value in deepcopy(told).items() if key not in ("model", "data")}
    steps = old["look"]["steps"]
    steps["spikes"] = {"inputs": steps.pop("inputs"), **steps["spikes"]}
    return {**old, "format": 1}


def test_a_report_of_format_1_is_read_as_one_of_format_2(relayed):
    read = ReportFile.model_validate(of_format_1(relayed)).model_dump()
    assert read == relayed | {"model": None, "data": None}


def test_inputs_that_format_1_took_a_population_for_are_not_known(relayed):
    old = of_format_1(relayed)
    first, steps = old["look"]["layers"][0], old["look"]["steps"]
    taken = steps["spikes"].pop(first["name"])
    steps["spikes"]["inputs"], first["name"] = taken, "inputs"
    read = ReportFile.model_validate(old).model_dump()["look"]["steps"]
    assert read["inputs"] is None
    assert read["spikes"]["inputs"] == taken


@pytest.mark.parametrize("broken", [
    {"look": 3}, {"look": {"steps": 1}}, {"look": {"steps": {"spikes": []}, "layers": []}},
    {"look": {"steps": {"spikes": {}}, "layers": [1]}}])
def test_what_is_no_report_of_format_1_is_refused_as_such(relayed, broken):
    with pytest.raises(ValidationError):
        ReportFile.model_validate(of_format_1(relayed) | broken)


def test_data_without_a_run_are_refused(relayed):
    told = deepcopy(relayed) | {"samples": None, "data": {
        "name": "x.npz", "sha256": "0", "encoding": None, "seed": 0}}
    with pytest.raises(ValidationError):
        ReportFile.model_validate(told)
