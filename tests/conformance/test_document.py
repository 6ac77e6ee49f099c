"""The pages of docs/frontends list the rows that the tests know, no more and no fewer."""

from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.conformance import TABLES

PAGES = Path(__file__).parents[2] / "docs" / "frontends"


@pytest.mark.filterwarnings("ignore")  # of the libraries
def test_the_pages_list_every_row_once():
    listed, known = defaultdict(list), defaultdict(list)
    for page in sorted(PAGES.glob("*.md")):
        for line in page.read_text("utf-8").splitlines():
            if line.endswith("| passed |"):
                library, construct, _ = line.split(" | ")
                listed[library.split()[1]].append(construct)
    for package in {package for packages in TABLES.values() for package in packages}:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    for name in TABLES:
        for row in import_module(f"helpers.conformance.{name}").ROWS:
            known[row.library].append(row.construct)
    assert listed == known
