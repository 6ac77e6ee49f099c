"""The files that the examples of the pages on options, files, models and data name, by code."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import snntorch
import torch
from torch import nn

import nmcompile as nmc
from helpers.recordings import some_events, write_hdf5

EXAMPLES = Path(str(files("nmcompile_examples")))
NET = '''"""A network of two layers of leaky neurons."""

import snntorch
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self{arguments}):
        super().__init__()
        self.num_steps = 10
        self.fc1, self.lif1 = nn.Linear(6, 5), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(5, 3), snntorch.Leaky(beta=0.9)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        {begin}
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1({taken}), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return {returned}
'''
PLAIN = {"arguments": "", "begin": "spikes = []", "taken": "x", "returned": "torch.stack(spikes)"}
PASS = '''"""A pass that does not keep what the network computes."""

from dataclasses import replace


def halve(network):
    first, *others = network.projections
    weaker = replace(first, map=replace(first.map, weight=first.map.weight / 2))
    return replace(network, projections=(weaker, *others))
'''


class Opening:
    """Pickled, it asks for the call of a function."""

    def __reduce__(self):
        return eval, ("open('notes.txt').read()",)


def net(folder, **changed):
    """net.py with the class Net, 6 inputs to 3 outputs, and its state dict net.pt."""
    (folder / "net.py").write_text(NET.format(**PLAIN | changed))
    torch.save(_trained().state_dict(), folder / "net.pt")


def layers(folder, *parts):
    """A whole model model.pt of `parts`, in their order."""
    torch.save(nn.Sequential(*parts), folder / "model.pt")


def leaky(**options):
    """A layer of snnTorch's neurons that can be pickled."""
    return snntorch.Leaky(beta=0.9, init_hidden=True, surrogate_disable=True, **options)


def _trained():
    torch.manual_seed(0)
    scope = {}
    exec(NET.format(**PLAIN), scope)
    return scope["Net"]()


@cache
def _program():
    x = np.random.default_rng(0).random((8, 6)).astype(np.float32)
    return nmc.compile(_trained(), target="loihi2", sample=x)


def build(folder, name="build"):
    """The folder `name` with a small network, compiled for Loihi 2."""
    _program().save(folder / name)


def data(folder, values, name="test.npz"):
    """A data file of values, without labels."""
    np.savez(folder / name, x=np.asarray(values, np.float32))


def _digits(folder):
    shutil.copy(EXAMPLES / "digits.pt", folder)
    shutil.copy(EXAMPLES / "train_digits.py", folder)
    shutil.copy(EXAMPLES / "training.py", folder)


def _cut_short(folder):
    _digits(folder)
    whole = (folder / "digits.pt").read_bytes()
    (folder / "digits.pt").write_bytes(whole[:9000])


def _two_builds(folder):
    build(folder, "build1")
    build(folder, "build2")


def _text_data(folder):
    net(folder)
    (folder / "data.csv").write_text("0.1,0.2\n0.3,0.4\n")


def _large_array(folder):
    net(folder)
    with (folder / "data.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (2_000_000, 28, 28)})
        file.truncate(file.tell() + 2_000_000 * 28 * 28 * 4)


def _folder_of_notes(folder):
    (folder / "results").mkdir()
    (folder / "results" / "notes.txt").write_text("accuracy 97 %\n")


def _misspelt_target(folder):
    text = (files("nmcompile_targets") / "loihi2.toml").read_text("utf-8")
    (folder / "lab.toml").write_text(text.replace("chips = {", "chip = {", 1))


def _build_alone(folder):
    build(folder)


def _packets(folder):
    (folder / "packets.csv").write_text("cycle,source,target\n0,0,5\n")


def _state_dict(folder):
    net(folder)


def _pickled_call(folder):
    torch.save(Opening(), folder / "model.pt")


def _arguments(folder):
    net(folder, arguments=", n_hidden")


def _lstm(folder):
    layers(folder, nn.Linear(6, 5), nn.LSTM(5, 5), leaky())


def _inhibition(folder):
    neurons = leaky()
    neurons.inhibition = True
    layers(folder, nn.Linear(6, 5), neurons)


def _branch(folder):
    net(folder, taken="x if spikes and spikes[-1].sum() > 2 else x / 2")


def _steps_in_the_sample(folder):
    net(folder)
    np.save(folder / "sample.npy", np.ones((8, 7, 6), np.float32))


def _wrong_sample(folder):
    net(folder)
    np.save(folder / "sample.npy", np.ones((4, 3, 9, 9), np.float32))


def nir_graph(folder, nodes, edges, *, lines=2):
    """net.nir of `nodes` between an input and an output of `lines`, unchecked by nir."""
    ends = {"input": nir.Input({"input": np.array([lines])}),
            "output": nir.Output({"output": np.array([lines])})}
    graph = nir.NIRGraph(nodes=nodes | ends, edges=edges, type_check=False)
    nir.write(folder / "net.nir", graph)


def _loop_of_maps(folder):
    nodes = {name: nir.Scale(scale=np.ones(2)) for name in ("scale", "again")}
    nir_graph(folder, nodes, [
        ("input", "scale"), ("scale", "again"), ("again", "scale"), ("again", "output")])


def _weight_of_another_shape(folder):
    nodes = {"fc": nir.Linear(weight=np.ones((6, 4)))}
    nir_graph(folder, nodes, [("input", "fc"), ("fc", "output")], lines=6)


def _long_chain(folder):
    names = [f"scale{i}" for i in range(150)]
    nodes = {name: nir.Scale(scale=np.ones(2)) for name in names}
    nir_graph(folder, nodes, list(pairwise(["input", *names, "output"])))


def _mean_of_membranes(folder):
    net(folder, returned="mem1.mean(1)")


@contextmanager
def _pass_that_halves(folder):
    net(folder)
    (folder / "lab_passes.py").write_text(PASS)
    described = folder / "lab_passes-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-passes\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[nmcompile.passes]\nhalve = lab_passes:halve\n")
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("lab_passes", None)


def _relu(folder):
    layers(folder, nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU())


def _other_shape(folder):
    build(folder)
    data(folder, np.zeros((4, 7)))


def _not_finite(folder):
    build(folder)
    data(folder, [[0.5, 0.5, np.nan, 0.5, 0.5, 0.5]])


def _pixels_to_255(folder):
    build(folder)
    data(folder, [[0, 32, 64, 128, 192, 255]])


def _times_backwards(folder):
    events = some_events()
    events["t"][200:] -= 20_000
    write_hdf5(folder / "hand.h5", events)


def _files_beside_classes(folder):
    (folder / "gestures" / "wave").mkdir(parents=True)
    write_hdf5(folder / "gestures" / "wave" / "1.h5", some_events())
    write_hdf5(folder / "gestures" / "2.h5", some_events())


def _long_recording(folder):
    write_hdf5(folder / "hand.h5", some_events(lasting=60_000_000), size=(34, 28))


PREPARED = {
    "NMC-E0101": _state_dict,
    "NMC-E0102": _build_alone,
    "NMC-E0104": _digits,
    "NMC-E0105": _two_builds,
    "NMC-E0202": _packets,
    "NMC-E0203": _cut_short,
    "NMC-E0204": _text_data,
    "NMC-E0205": _large_array,
    "NMC-E0206": _folder_of_notes,
    "NMC-E0207": _misspelt_target,
    "NMC-E0208": _build_alone,
    "NMC-E0301": _state_dict,
    "NMC-E0302": _pickled_call,
    "NMC-E0303": _arguments,
    "NMC-E0304": _lstm,
    "NMC-E0305": _inhibition,
    "NMC-E0306": _branch,
    "NMC-E0307": _steps_in_the_sample,
    "NMC-E0308": _wrong_sample,
    "NMC-E0309": _loop_of_maps,
    "NMC-E0310": _weight_of_another_shape,
    "NMC-E0311": _mean_of_membranes,
    "NMC-E0312": _pass_that_halves,
    "NMC-E0313": _relu,
    "NMC-E0314": _long_chain,
    "NMC-E0401": _other_shape,
    "NMC-E0402": _not_finite,
    "NMC-E0403": _pixels_to_255,
    "NMC-E0404": _times_backwards,
    "NMC-E0405": _files_beside_classes,
    "NMC-E0406": _long_recording,
}
