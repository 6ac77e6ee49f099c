"""The files that the examples of the pages on runs, devices and installations name, by code."""

import atexit
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
from filelock import FileLock
from nmcompile_backends.spinnaker.scp import Link

import nmcompile as nmc
from helpers.explained_chips import lif, recurrent, small, weights
from helpers.spinnaker_board import HOST, emulated_board, same_programs
from nmcompile import wire
from nmcompile.device import Place
from nmcompile.encode import Encoded
from nmcompile.registry import device

UNFINISHED = "validate-sim"
LOOP = """from types import SimpleNamespace

import gymnasium


def make():
    return SimpleNamespace(env=gymnasium.make("CartPole-v1"), period_s=0.02, steps=10)
"""
COLUMNS = """time_us,x,y
1200,3,0
1450,5,0
"""
PYTHON = f"""#!{sys.executable}
import sys
import numpy

print({{version!r}})
if sys.argv[1] != "-c":
    numpy.savez(sys.argv[4])
"""


@cache
def built(target):
    """The folder of the small network for `target`."""
    folder = Path(tempfile.mkdtemp(prefix="nmcompile-"))
    atexit.register(shutil.rmtree, folder)
    small(folder)
    return nmc.compile(folder / "model.nir", target=target).save(folder / "build").folder


def build(folder, target="loihi2"):
    """build, the small network for a target, and spikes.npz for it."""
    shutil.copytree(built(target), folder / "build")
    spikes = np.random.default_rng(0).random((20, 10, 8)) < 0.3
    np.savez(folder / "spikes.npz", x=spikes.astype(np.float32))


def build_with(text):
    """A build, data for it, and files of text by their names."""
    def prepare(folder):
        build(folder)
        for name, lines in text.items():
            (folder / name).write_text(lines)
    return prepare


def changed(array):
    """A build with 2**20 more in an array of its program, and a manifest that says so."""
    def prepare(folder):
        build(folder)
        path, manifest = folder / "build" / "program.h5", folder / "build" / "manifest.json"
        with h5py.File(path, "r+") as file:
            file[array][...] += 2**20
        told = json.loads(manifest.read_text())
        told["sha256"]["program.h5"] = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest.write_text(json.dumps(told))
    return prepare


def jammed(folder):
    """A busy network on a small board with buffers for one packet and a dead link."""
    text = (files("nmcompile_targets") / "loihi1.toml").read_text("utf-8")
    board = {"chips": 2, "mesh_width": 2, "mesh_height": 3, "cores_per_tile": 2, "neurons": 4,
             "buffer": 1, "core_buffer": 1}
    for name, value in board.items():
        text = re.sub(rf"^{name} = {{ value = \d+", f"{name} = {{ value = {value}", text,
                      flags=re.M)
    (folder / "small.toml").write_text(text)
    (folder / "lab.toml").write_text('[faults]\nlinks = ["1,0 south"]\n')
    recurrent(folder / "model.nir", weights(8, 64, 1.0, 2.0), lif(64), weights(64, 64, 0.25, 0.5))
    program = nmc.compile(folder / "model.nir", target=str(folder / "small.toml"),
                          constraints=folder / "lab.toml")
    program.save(folder / "build")
    np.savez(folder / "spikes.npz", x=np.ones((1, 6, 8), np.float32))


def python(name, version):
    """A build, data, and a Python that tells of a vendor's simulator and writes no results."""
    def prepare(folder):
        build(folder)
        path = folder / name
        path.write_text(PYTHON.format(version=version))
        path.chmod(0o755)
    return prepare


def without_lava(folder):
    build(folder)
    environment = {name: value for name, value in os.environ.items() if name != "NMC_LAVA_PYTHON"}
    return patch.dict(os.environ, environment, clear=True)


def without_board(folder):
    build(folder, "spinnaker1")
    (folder / "programs").mkdir()
    same_programs(folder / "programs")


@contextmanager
def board(folder, programs):
    """An emulated board, with these programs, that `board.lab` names."""
    without_board(folder)
    with emulated_board("--programs", str(programs)) as (_, port):
        class Named(Link):
            def __init__(self, address, **more):
                super().__init__((HOST, port), **more)
                self.address = address

        with patch("nmcompile_backends.spinnaker.device.Link", Named):
            yield


@contextmanager
def board_of_other_programs(folder):
    other = folder / "other"
    other.mkdir()
    for path in same_programs(other).iterdir():
        path.write_bytes(b"another " * 50)
    with board(folder, other):
        yield


@contextmanager
def board_in_use(folder):
    with board(folder, folder / "programs"):
        program = nmc.read_build(folder / "build").program
        first = device("spinnaker")
        first.open(Place(address="board.lab", options={
            "binaries": str(folder / "programs"), "app": "31"}))
        first.load(program, folder / "build" / "config")
        try:
            yield
        finally:
            first.close()


def begun(folder):
    """A build with the first batch of a run on the simulator."""
    build(folder)
    kept = folder / "build" / UNFINISHED
    kept.mkdir()
    (kept / "run.json").write_text("{}")
    (kept / "000000000.npz").touch()


@contextmanager
def running(folder):
    """A build that another run validates."""
    build(folder)
    kept = folder / "build" / UNFINISHED
    kept.mkdir()
    with FileLock(kept / "lock"):
        yield


def key(folder):
    wire.new_key(folder / "lab.key")


def open_key(folder):
    build(folder)
    key(folder)
    (folder / "lab.key").chmod(0o644)


@contextmanager
def without_mt_kahypar(folder):
    small(folder)
    with patch.dict(sys.modules, {"mtkahypar": None}):
        yield


@contextmanager
def broken_plugin(folder):
    """A distribution that names a module for its device which is not there."""
    build(folder)
    told = folder / "site" / "nmc_lab-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: nmc-lab\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[nmcompile.devices]\nlab = nmc_lab:Board\n")
    with patch.object(sys, "path", [str(folder / "site"), *sys.path]):
        yield


@contextmanager
def little_memory(folder):
    """A machine that has no room for the spikes of a batch."""
    build(folder)
    with patch.object(Encoded, "__getitem__", lambda self, samples: np.empty((1 << 40, self.steps))):
        yield


PREPARED = {
    "NMC-E0508": changed("network/populations/0/neuron/threshold"),
    "NMC-E0606": changed("mapping/slices/high"),
    "NMC-E0801": build,
    "NMC-E0803": jammed,
    "NMC-E0901": without_board,
    "NMC-E0902": board_of_other_programs,
    "NMC-E0903": python("lava-python", "0.10.0"),
    "NMC-E0904": key,
    "NMC-E0905": python("xylo-python", "0.1.3"),
    "NMC-E0906": board_in_use,
    "NMC-E0907": without_lava,
    "NMC-E0908": begun,
    "NMC-E0909": build_with({"lab.py": LOOP}),
    "NMC-E0910": build_with({"monday.csv": COLUMNS}),
    "NMC-E1001": key,
    "NMC-E1003": running,
    "NMC-E1004": open_key,
    "NMC-E1101": without_mt_kahypar,
    "NMC-E1102": broken_plugin,
    "NMC-E1103": little_memory,
}
