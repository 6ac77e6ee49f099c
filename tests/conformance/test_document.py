"""docs/frontends.md lists the rows that the tests know, no more and no fewer."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.conformance import TABLES

DOCUMENT = Path(__file__).parents[2] / "docs" / "frontends.md"


@pytest.mark.filterwarnings("ignore")  # of the libraries
def test_the_document_lists_every_row_once():
    tables = DOCUMENT.read_text("utf-8").split("<!-- conformance: begin -->")[1]
    lines = [line.split(" | ") for line in tables.splitlines() if line.endswith("| passed |")]
    listed = [(line[0].split()[1], line[1]) for line in lines]
    for package in {package for packages in TABLES.values() for package in packages}:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    rows = [row for name in TABLES for row in import_module(f"helpers.conformance.{name}").ROWS]
    assert listed == [(row.library, row.construct) for row in rows]
