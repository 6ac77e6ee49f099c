"""Our docstrings as the site takes them: names in a column with what they mean."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "tools" / "site" / "docstrings.py"
TEXT = """\
Sum of what arrives.

    u = 2**23 * w

Powers of 2**23 and <names> stay.

spiking, target  (k,) int32, whose
                 rows are added
weight  in units of 2**-6
Returns nothing.
"""


@pytest.fixture(scope="module")
def docstrings():
    spec = importlib.util.spec_from_file_location("docstrings", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_column_of_parameters_becomes_a_section_of_google_s_style(docstrings):
    made = docstrings.with_sections(TEXT, "Parameters:", {"spiking", "target", "weight", "more"})
    assert made.splitlines()[6:] == [
        "",
        "Parameters:",
        "    spiking: (k,) int32, whose rows are added",
        "    target: (k,) int32, whose rows are added",
        r"    weight: in units of 2\*\*-6",
        "",
        "Returns nothing.",
    ]


def test_a_column_of_other_names_becomes_a_list_of_definitions(docstrings):
    made = docstrings.with_sections(TEXT, "Parameters:", {"spiking"})
    assert made.splitlines()[6:10] == [
        "", "`spiking`, `target`", ":   (k,) int32, whose rows are added", ""]


def test_powers_are_no_bold_text_and_code_stays_as_it_is(docstrings):
    assert docstrings.to_markdown(TEXT).splitlines()[2:5] == [
        "    u = 2**23 * w", "", r"Powers of 2\*\*23 and &lt;names> stay."]


def test_names_with_their_meanings(docstrings):
    assert docstrings.columns_of(TEXT) == {
        "spiking": "(k,) int32, whose rows are added", "target": "(k,) int32, whose rows are added",
        "weight": "in units of 2**-6"}
