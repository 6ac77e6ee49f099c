"""Another distribution's backend, target, pass and frontend are found like the built-in ones."""

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def toy_site(tmp_path_factory):
    """A folder with the plug-in installed, and its target made of Loihi's numbers."""
    root = tmp_path_factory.mktemp("plugin")
    source, site = root / "source", root / "site"
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    text = (files("nmcompile_targets") / "loihi2.toml").read_text("utf-8")
    text = text.replace('name = "loihi2"', 'name = "toychip"').replace(
        'family = "loihi"', 'family = "toy"'
    )
    (source / "nmc_toychip" / "toychip.toml").write_text(text)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            site,
            source,
        ],
        check=True,
    )
    return site


def nmc(site, *arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-c", "from nmcompile.cli import main; main()", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_strangers_target_is_listed(toy_site, tmp_path):
    assert "toychip" in nmc(toy_site, "targets", cwd=tmp_path).stdout


def test_a_strangers_model_compiles_for_a_strangers_chip(toy_site, tmp_path):
    (tmp_path / "model.toy").write_bytes(b"TOY 2.5")
    result = nmc(toy_site, "compile", "model.toy", "--target", "toychip", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["target"] == "toychip"
    config = json.loads((tmp_path / "build" / "config" / "toy.json").read_text())
    assert config == {"neurons": 1}
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert "1 layers" in manifest["notes"]


def test_without_the_plug_in_its_target_is_unknown(tmp_path):
    result = nmc("", "compile", "model.toy", "--target", "toychip", cwd=tmp_path)
    assert result.returncode == 2
    assert "'toychip' is not known" in result.stderr
