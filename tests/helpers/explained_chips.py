"""The files that the examples of the pages on chips, mappings, runs and devices name, by code."""

from importlib.resources import files
from itertools import pairwise

import nir
import numpy as np

RESERVED = """reserve = ["0-3"]

[layers.hidden]
on = ["2"]
"""
CUT_OFF = """[faults]
links = ["0,0 east", "0,0 south"]
"""
MISNAMED = """reserve = ["chip 12"]
"""


def ones(*shape):
    return np.ones(shape, np.float32)


def weights(n_in, n_out, low=-0.3, high=0.3):
    """(n_out, n_in) weights that are all different."""
    values = np.random.default_rng(0).uniform(low, high, (n_out, n_in))
    return nir.Linear(weight=values.astype(np.float32))


def lif(*shape, tau=5e-3):
    return nir.LIF(tau=tau * ones(*shape), r=tau / 1e-4 * ones(*shape), v_leak=0 * ones(*shape),
                   v_threshold=ones(*shape), v_reset=0 * ones(*shape))


def integrators(*shape):
    """Integrate-and-fire neurons, which keep their membranes from step to step."""
    return nir.IF(r=10 * ones(*shape), v_threshold=ones(*shape), v_reset=0 * ones(*shape))


def save(path, nodes, edges):
    graph = nir.NIRGraph(nodes=nodes, edges=edges, type_check=False,
                         metadata={"dt": 1e-3})
    nir.write(path, graph)


def chain(path, n_in, n_out, **layers):
    """Write a network of `layers` one behind the other, which carry their names."""
    nodes = {"input": nir.Input(np.array(n_in)), **layers, "output": nir.Output(np.array(n_out))}
    save(path, nodes, list(pairwise(nodes)))


def small(folder):
    """model.nir: 8 inputs, 6 neurons, 4 neurons."""
    chain(folder / "model.nir", (8,), (4,), fc1=weights(8, 6), hidden=lif(6),
          fc2=weights(6, 4), out=lif(4))


def of_integrators(folder):
    chain(folder / "model.nir", (8,), (4,), fc1=weights(8, 6), hidden=integrators(6),
          fc2=weights(6, 4), out=integrators(4))


def of_torch(folder, shape, make):
    """model.pt of the layers that `make` makes, and sample.npz, real values of a shape."""
    import torch

    torch.manual_seed(0)
    torch.save(torch.nn.Sequential(*make(torch)), folder / "model.pt")
    np.savez(folder / "sample.npz", x=np.random.default_rng(0).random((4, *shape), np.float32))


def far_biases(folder):
    """An artificial network with biases that are a million times its weights."""
    def layers(torch):
        second = torch.nn.Linear(6, 4)
        torch.nn.init.constant_(second.bias, 1e6)
        return torch.nn.Linear(8, 6), torch.nn.ReLU(), second, torch.nn.ReLU()

    of_torch(folder, (8,), layers)


def oblong(folder):
    """A convolution whose kernel is not square."""
    from sinabs.layers import IAFSqueeze

    of_torch(folder, (10, 2, 8, 8), lambda torch: (
        torch.nn.Conv2d(2, 4, (3, 5), padding=(1, 2), bias=False), IAFSqueeze(batch_size=4)))


def activations(folder):
    of_torch(folder, (8,), lambda torch: (
        torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4)))


def packets(folder):
    (folder / "packets.csv").write_text("src,dst,created\n0,9,0\n")


def bounded(folder):
    """An artificial network whose activations end at 6."""
    of_torch(folder, (8,), lambda torch: (
        torch.nn.Linear(8, 6), torch.nn.ReLU6(), torch.nn.Linear(6, 4)))


def recurrent(path, into, neurons, back):
    """Write a network of neurons that listen to each other."""
    n_out, n_in = into.weight.shape
    nodes = {"input": nir.Input(np.array([n_in])), "fc": into, "hidden": neurons, "back": back,
             "output": nir.Output(np.array([n_out]))}
    save(path, nodes, [("input", "fc"), ("fc", "hidden"), ("hidden", "back"), ("back", "hidden"),
                       ("hidden", "output")])


def loop(folder):
    recurrent(folder / "model.nir", weights(8, 4), integrators(4), weights(4, 4))


def readout(folder):
    chain(folder / "model.nir", (8,), (4,), fc1=weights(8, 6), hidden=integrators(6),
          fc2=weights(6, 4), out=nir.LI(tau=5e-3 * ones(4), r=ones(4), v_leak=0 * ones(4)))


def wide(folder):
    chain(folder / "model.nir", (8,), (4,), fc1=weights(8, 2000), hidden=lif(2000),
          fc2=weights(2000, 4), out=lif(4))


def many_inputs(folder):
    chain(folder / "model.nir", (30_000,), (4,), fc=weights(30_000, 4, -0.01, 0.01), out=lif(4))


def small_with(text):
    """The small network, and files of text by their names."""
    def prepare(folder):
        small(folder)
        for name, lines in text.items():
            (folder / name).write_text(lines)
    return prepare


def target_without(name, table):
    """The model, and the target file lab.toml: `name` without one of its tables."""
    def prepare(folder):
        small(folder)
        text = (files("nmcompile_targets") / f"{name}.toml").read_text("utf-8")
        before, _, after = text.partition(f"[{table}]\n")
        (folder / "lab.toml").write_text(before + after[after.index("\n["):])
    return prepare


PREPARED = {
    "NMC-E0501": of_integrators,
    "NMC-E0502": small,
    "NMC-E0503": far_biases,
    "NMC-E0504": small,
    "NMC-E0505": oblong,
    "NMC-E0506": loop,
    "NMC-E0507": readout,
    "NMC-E0509": bounded,
    "NMC-E0601": many_inputs,
    "NMC-E0602": wide,
    "NMC-E0603": small_with({"lab.toml": RESERVED}),
    "NMC-E0604": small_with({"lab.toml": CUT_OFF}),
    "NMC-E0605": small_with({"lab.toml": MISNAMED}),
    "NMC-E0701": target_without("xylo_a2", "ends"),
    "NMC-E0702": activations,
    "NMC-E0802": packets,
}
