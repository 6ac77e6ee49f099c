"""The rows as parameters of a test; those of packages that are not installed are skipped."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest

from helpers.conformance import TABLES


def rows() -> list[object]:
    """Every row, under the name that docs/frontends has for it."""
    found: list[object] = []
    for table, packages in TABLES.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            skip = pytest.mark.skip(reason=f"{', '.join(missing)} not installed")
            found.append(pytest.param(None, marks=skip, id=table))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = import_module(f"helpers.conformance.{table}").ROWS
        found += [pytest.param(r, id=f"{r.library}: {r.construct}") for r in known]
    return found
