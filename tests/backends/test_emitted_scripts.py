"""The emitted scripts take the data file of `nmc simulate`, and `--device file:` takes what they write.

sPyNNaker is not run here: a stand-in of its recordings is. Its own run of the script on a virtual
board is in tests/oracles/test_spinnaker_images.py, Lava's in tests/oracles/test_devices.py.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers.compiled_networks import EXAMPLES
from helpers.pynn_stand_in import stand_in
from nmcompile_backends.data_text import READ, USAGE, inputs_table, tables

import nmcompile as nmc
from nmcompile.api import Asked, DataFile
from nmcompile.build import Build
from nmcompile.device import Place
from nmcompile.encode import encoded
from nmcompile.ir import Input, Network, SpikeFormat
from nmcompile.passes.quantize import payloads


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    calibration = nmc.read_data(EXAMPLES / "digits_calibration.npz")
    compiled = nmc.compile(str(EXAMPLES / "digits.pt"), target="spinnaker1",
                           calibration=calibration)
    return nmc.write_build(compiled, tmp_path_factory.mktemp("scripts") / "build", {})


def ran(build: Build, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> ModuleType:
    """The stand-in after the PyNN script of `build` ran with a command line."""
    script, sim = build.folder / "config" / "pynn_network.py", stand_in(build.program)
    package = ModuleType("pyNN")
    package.spiNNaker = sim
    monkeypatch.setitem(sys.modules, "pyNN", package)
    monkeypatch.setitem(sys.modules, "pyNN.spiNNaker", sim)
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")
    return sim


def test_what_the_pynn_script_writes_is_validated_as_it_is(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = nmc.read_data(EXAMPLES / "digits_test.npz").x[:3, None].repeat(20, 1)
    x = (np.random.default_rng(0).random(values.shape) < values).astype(np.uint8)
    np.savez(tmp_path / "test.npz", x=x, y=np.arange(3))
    sim = ran(build, monkeypatch, tmp_path / "test.npz", tmp_path / "out.npz")
    assert sim.runs == 3 * [x.shape[1] + max(build.program.latency.values())]
    told = nmc.validate(build, DataFile(x=x, y=None), "file",
                        place=Place(address=str(tmp_path / "out.npz")), asked=Asked(batch=2))
    assert told["divergence"] is None
    assert told["not_readable"] == []
    assert all(row["spikes_device"] > 0 for row in told["populations"])


def test_the_pynn_script_takes_values_and_draws_their_spikes_as_nmc_does(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = nmc.read_data(EXAMPLES / "digits_test.npz").x[:5]
    np.save(tmp_path / "values.npy", x)
    ran(build, monkeypatch, tmp_path / "values.npy", tmp_path / "out.npz", "--encode", "rate",
        "--seed", "7", "--steps", "12", "--samples", "2")
    told = nmc.validate(
        build, DataFile(x=x, y=None), "file", place=Place(address=str(tmp_path / "out.npz")),
        asked=Asked(encoding="rate", seed=7, steps=12, samples=2))
    assert told["divergence"] is None
    assert told["populations"][0]["spikes_device"] > 0


PORTS = {
    "binary": Input(name="in", shape=(2, 3), format=SpikeFormat(payload_bits=0)),
    "graded": Input(name="in", shape=(2, 3), format=SpikeFormat(payload_bits=6, scale=0.3)),
}


def reader(folder: Path, port: Input) -> dict:
    """The names of a script that has nothing but what reads data."""
    head = '"""Reads."""\nimport argparse, math, sys, zipfile\nfrom pathlib import Path\n' \
           'import numpy as np\n'
    net = Network(inputs=(port,), populations=(), projections=(), outputs=())
    (folder / "reader.py").write_text(
        head + tables(INPUTS=inputs_table(net), STEPS=None, run=None) + READ)
    return runpy.run_path(str(folder / "reader.py"))


@pytest.mark.parametrize("encoding", [None, "direct", "rate", "latency"])
@pytest.mark.parametrize("kind", list(PORTS))
@pytest.mark.parametrize("flat", [False, True])
def test_a_script_reads_data_as_nmc_simulate_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str | None, kind: str, flat: bool
) -> None:
    rng, port = np.random.default_rng(0), PORTS[kind]
    x = rng.random((4, 5, 2, 3) if encoding is None else (4, 2, 3)).astype(np.float32)
    if kind == "binary" and encoding in (None, "direct"):
        x = (x < 0.5).astype(np.uint8)
    x = x.reshape(*x.shape[:-2], 6) if flat else x
    np.savez(tmp_path / "x.npz", x=x)
    steps = 9 if encoding else 3
    line = ["reader.py", tmp_path / "x.npz", "out.npz", "--steps", steps, "--seed", 5]
    line += ["--encode", encoding] if encoding else []
    script = reader(tmp_path, port)
    monkeypatch.setattr(sys, "argv", list(map(str, line)))
    found = script["read_inputs"](script["asked"]())["in"]
    net = Network(inputs=(port,), populations=(), projections=(), outputs=())
    wanted = payloads(port, encoded(x, net, steps=steps, encoding=encoding, seed=5)["in"][:])
    np.testing.assert_array_equal(found, wanted.reshape(found.shape))
    assert found.any()


def a_tensor(path: Path) -> None:
    torch.save(torch.zeros(4, 5, 2, 3), path)


REFUSED = {
    "nothing": (lambda path: None, "is no .npz or .npy file that can be read"),
    "text": (lambda path: path.write_text("x"), "is no .npz or .npy file that can be read"),
    "a tensor of torch": (a_tensor, "holds no array x. Save it with numpy.savez"),
    "objects": (lambda path: np.savez(path, x=np.array([{}])), "is no .npz or .npy file that can"),
    "words": (lambda path: np.savez(path, x=np.array(["a"])), "that are no finite numbers"),
    "another shape": (lambda path: np.savez(path, x=np.zeros((4, 5, 7))),
                      "has shape (4, 5, 7), expected (samples, steps, 2, 3) or (samples, 2, 3)"),
    "values": (lambda path: np.savez(path, x=np.zeros((4, 2, 3))), "For values, add --steps N"),
    "payloads": (lambda path: np.savez(path, x=np.full((4, 5, 2, 3), 2)),
                 "holds values other than 0 and 1. Add --encode rate, or give spikes"),
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_what_a_script_cannot_take_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    reader(tmp_path, PORTS["binary"])
    make, words = REFUSED[kind]
    make(tmp_path / "data.npz")
    done = subprocess.run([sys.executable, "reader.py", "data.npz", "out.npz"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("reader.py: data.npz")
    assert words in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_a_script_says_what_it_takes(build: Build) -> None:
    assert USAGE in (build.folder / "config" / "pynn_network.py").read_text()
