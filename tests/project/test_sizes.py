"""Files stay readable on a few screens, functions on one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("nmcompile", "backends", "targets", "examples", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
FORBIDDEN = {"utils.py", "helpers.py", "common.py", "misc.py"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines_and_a_telling_name(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400
    assert path.name not in FORBIDDEN


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_function_has_at_most_40_lines_of_body_and_a_module_says_what_it_is_for(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    if path.name.startswith("_") and path.name.endswith("_kernels.py"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = [
                n
                for n in node.body
                if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
            ]
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name}: {lines} lines"
