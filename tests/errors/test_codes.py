"""Each fault that a user may meet is raised as a class with a code of its own."""

import ast
from pathlib import Path

import pytest

from nmcompile.errors import kinds

ROOT = Path(__file__).parents[2]
ERRORS = ROOT / "nmcompile" / "errors.py"
SOURCES = [path for folder in ("nmcompile", "backends") for path in (ROOT / folder).rglob("*.py")]


def _codes():
    for node in ast.parse(ERRORS.read_text("utf-8")).body:
        for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
            if keyword.arg == "code":
                yield node.name, keyword.value.value


def _used(path):
    """Names that `path` calls as a class, or whose code it tells."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node, ast.Attribute) and node.attr == "code":
            yield getattr(node.value, "id", "")


def test_codes_are_unique_and_in_order():
    codes = [code for _, code in _codes()]
    assert codes == sorted(set(codes)) == list(kinds())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_error_is_made_without_a_code(path):
    assert "NmcError" not in set(_used(path))


def test_every_class_with_a_code_is_raised():
    used = {name for path in SOURCES for name in _used(path)}
    assert {name for name, _ in _codes()} <= used
