"""Imports go one way, and the heavy packages stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "torch": ("nmcompile/frontends/",),
    "nir": ("nmcompile/frontends/",),
    "snntorch": ("nmcompile/frontends/",),
    "onnx": ("nmcompile/frontends/",),
    "click": ("nmcompile/cli/",),
    "rich": ("nmcompile/cli/",),
    "numba": ("nmcompile/arithmetic/jit.py", "_kernels.py"),
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_heavy_package_is_imported_only_where_it_belongs(package):
    for folder in ("nmcompile", "backends"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if package in _imports(path):
                name = str(path.relative_to(ROOT))
                assert any(part in name for part in ALLOWED[package]), name


def test_nmcompile_never_names_a_backend():
    for path in sorted((ROOT / "nmcompile").rglob("*.py")):
        assert "nmcompile_backends" not in set(_imports(path)), path


def test_import_linter_finds_no_broken_contract():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_help_answers_without_torch_and_numba():
    code = (
        "import sys; from nmcompile.cli import group; "
        "group(['--help'], standalone_mode=False); "
        "heavy = {'torch', 'numba', 'scipy', 'h5py', 'rich', 'pydantic'} & set(sys.modules); "
        "print('heavy', sorted(heavy))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "heavy []"
