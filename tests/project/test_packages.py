"""The distribution holds every package of the checkout and nothing at the top that is not ours."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
RENAMED = {
    "backends": "nmcompile_backends",
    "examples": "nmcompile_examples",
    "targets": "nmcompile_targets",
}


def _on_disk():
    for folder in ("nmcompile", *RENAMED):
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            yield ".".join((RENAMED.get(parts[0], parts[0]), *parts[1:]))


def test_the_package_list_is_what_lies_on_disk():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(_on_disk())


@pytest.mark.slow
def test_a_wheel_has_our_three_packages_at_its_top_and_all_data(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"nmcompile", *RENAMED.values()}
    for needed in (
        "nmcompile_targets/loihi2.toml",
        "nmcompile_examples/digits.pt",
        "nmcompile_examples/digits_test.npz",
        "nmcompile/py.typed",
    ):
        assert needed in names
