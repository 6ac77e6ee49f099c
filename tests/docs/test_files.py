"""docs/files.md, held to the files of a build and of a run."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import snntorch
import torch
from torch import nn

import nmcompile as nmc
from nmcompile.registry import backend

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text("utf-8")
TABLES = set(re.findall(r"<!-- fields [\w.]+:(\w+)", PAGE))


class Small(nn.Module):
    """A layer of leaky neurons."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(4, 3), snntorch.Leaky(beta=0.8, reset_mechanism="zero")

    def forward(self, x):
        membrane, spikes = self.lif.init_leaky(), []
        for step in x:
            spike, membrane = self.lif(self.fc(step), membrane)
            spikes.append(spike)
        return torch.stack(spikes)


@pytest.fixture(scope="module", params=["loihi2", "spinnaker1"])
def build(request, tmp_path_factory):
    torch.manual_seed(1)
    x = (np.random.default_rng(1).random((3, 5, 4)) < 0.5).astype(np.float32)
    compiled = nmc.compile(Small(), target=request.param, sample=x)
    return compiled.save(tmp_path_factory.mktemp(request.param) / "build"), x


def _section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_file_of_a_build_is_told(build):
    told = _section("The build folder")
    for path in build[0].folder.iterdir():
        assert f"`{path.name}{'/' if path.is_dir() else ''}`" in told


@pytest.mark.parametrize("name", ["program.h5", "float.h5"])
def test_every_class_of_a_program_has_a_table_of_its_fields(build, name):
    classes, places = set(), []
    with h5py.File(build[0].folder / name) as file:
        assert f"`{file.attrs['format']}`" in _section("program.h5")
        assert set(file.attrs) <= set(re.findall(r"`(\w+)`", _section("program.h5")))
        file.visititems(lambda place, node: places.append((place, node.attrs.get(":class"))))
    classes = {kind for place, kind in places if kind and not place.endswith("/neuron")}
    assert classes <= TABLES
    assert "network/projections/0/map/weight" in {place for place, _ in places}


def test_neurons_of_a_program_are_those_that_the_target_s_page_describes(build):
    with h5py.File(build[0].folder / "program.h5") as file:
        kind = file["network/populations/0/neuron"].attrs[":class"]
    assert kind in {cls.__name__ for cls in backend(build[0].program.target.family).neurons}


def test_every_field_of_a_manifest_is_told(build):
    manifest = json.loads((build[0].folder / "manifest.json").read_text())
    assert [name for name in manifest if f"`{name}`" not in _section("manifest.json")] == []


def test_every_array_of_a_run_is_told(build, tmp_path):
    from nmcompile.cli.simulate_command import command

    folder, x = build[0].folder, build[1]
    np.savez(tmp_path / "x.npz", x=x)
    command.main([str(folder), "--input", str(tmp_path / "x.npz"), "-o", str(tmp_path / "run.npz"),
                  "--record", "lif:spikes,v", "--exit-confidence", "0.9", "--json"],
                 standalone_mode=False)
    with np.load(tmp_path / "run.npz") as run:
        names = {name.replace("lif/spikes", "POPULATION/spikes").replace(
            "lif/v", "POPULATION/VARIABLE") for name in run.files}
    assert names == set(re.findall(r"^\| `([\w/]+)` \|", _section("Run files"), re.M))
