"""The distribution holds every package of the checkout and nothing at the top that is not ours."""

import os
import shutil
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
PLUGINS = ROOT / "examples" / "plugins"
RENAMED = {
    "backends": "nmcompile_backends",
    "examples": "nmcompile_examples",
    "targets": "nmcompile_targets",
}


def _on_disk():
    for folder in ("nmcompile", *RENAMED):
        for init in (ROOT / folder).rglob("__init__.py"):
            if init.is_relative_to(PLUGINS):
                continue  # distributions of their own
            parts = init.parent.relative_to(ROOT).parts
            yield ".".join((RENAMED.get(parts[0], parts[0]), *parts[1:]))


def test_the_package_list_is_what_lies_on_disk():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(_on_disk())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", folder, source], check=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_has_only_our_packages_at_its_top_and_all_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"nmcompile", *RENAMED.values()}
    for needed in ("nmcompile_targets/loihi2.toml", "nmcompile_examples/digits.pt",
                   "nmcompile_examples/digits_test.npz", "nmcompile/py.typed",
                   "nmcompile_backends/loihi/registers.schema.json",
                   "nmcompile/report/report.schema.json", "nmcompile/report/page/base.html.j2",
                   "nmcompile/report/page/page.css", "nmcompile/report/page/page.js",
                   "nmcompile/explanations/NMC-E0203.md"):
        assert needed in names


def test_an_installed_wheel_imports_whole_and_finds_its_targets_backends_and_examples(
        wheel, tmp_path):
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site,
                    wheel], check=True)
    code = """
import importlib, pkgutil, sys
import nmcompile, nmcompile_backends, nmcompile_examples, nmcompile_targets
for package in (nmcompile, nmcompile_backends):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("_runner"):
            importlib.import_module(module.name)
print(*(package.__path__[0] for package in (nmcompile, nmcompile_backends, nmcompile_targets)))
from nmcompile.registry import backend
from nmcompile.target import installed, load_target
print(*sorted({backend(load_target(name).family).name for name in installed()}))
from nmcompile.cli import main
main()"""
    model = site / "nmcompile_examples" / "digits.pt"
    result = subprocess.run(
        [sys.executable, "-c", code, "inspect", model, "--code",
         f"{site / 'nmcompile_examples' / 'train_digits.py'}:DigitsNet"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True,
        check=True)
    places, backends, *tables = result.stdout.splitlines()
    assert all(place.startswith(str(site)) for place in places.split())
    assert backends.split() == ["akida", "loihi", "speck", "spinnaker", "spinnaker2", "truenorth",
                                "xylo"]
    assert any("lif1" in line for line in tables)
