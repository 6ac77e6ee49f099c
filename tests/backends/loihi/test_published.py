"""Loihi's arithmetic gives the traces that others have published, in every step.

Files of ../shared/data (see its README): the NIR paper's single neuron on Loihi 2, lava-dl's small
convolutional network, and its trained network of the Oxford tutorial.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.loihi_programs import dense, network, neuron, port, projection

from nmcompile.ir import Network, Population, run
from nmcompile.ir.maps import Conv, Dense

DATA = Path(__file__).parents[4] / "shared" / "data"
GOLDENS = Path(__file__).parents[2] / "goldens" / "lava"
ZERO = np.zeros((), np.int32)
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data")


@pytest.mark.parametrize("machine", ["loihi", "cpu"])
def test_the_nir_papers_neuron_has_the_membrane_of_loihi_2_silicon_in_every_step(
    machine: str,
) -> None:
    """The conversion is that of the paper's script (NIR paper/nir_to_lava.py, `_nir_node_to_lava`).

    With dt = 1e-4: dv = int(dt / tau * 4095), vth = int(threshold * 131071) >> 9, du = 4095, a
    weight of int(dt / tau * 256). The script has two Dense processes in a row, one of them for the
    Affine of weight 1, but the published membranes follow the input after one step.

    In refractory steps the chip's register of v counts them in units of 128 (lava-nc/lava issue
    282: "on the hardware it is reset to 128"; nengo-loihi hardware/interface.py, `key`), which
    does not act on what follows.
    """
    sent, v, spikes = np.loadtxt(DATA / "nir" / f"lif_lava_{machine}_fixed.csv", delimiter=",").T
    tau, threshold = np.float32(0.0025), np.float32(0.1)
    lif = neuron(du=4095, dv=int(1e-4 / tau * 4095), threshold=int(threshold * 131071) >> 9)
    assert (int(lif.dv), int(lif.threshold)) == (163, 25)
    net = network(
        (port((1,)),), (Population(name="lif", shape=(1,), neuron=lif, bias=ZERO),),
        (projection("in", "lif", dense(np.full((1, 1), int(1e-4 / tau * 256), np.int16))),))
    record = run(net, {"in": sent.astype(np.int32).reshape(1, -1, 1)}).records["lif"]
    assert len(v) == 1000
    counted = 128 * lif.refractory * record["spikes"] if machine == "loihi" else 0
    np.testing.assert_array_equal((record["v"] + counted).reshape(-1), v)
    np.testing.assert_array_equal(record["spikes"].reshape(-1), spikes)
    assert spikes.sum() == 4


def tiny() -> Network:
    """lava-dl's tests/lava/lib/dl/netx/tiny.net; the image is the bias of its first layer."""
    pixels = np.load(DATA / "lava" / "tiny_input_bias.npy").transpose(2, 1, 0).astype(np.int32)
    layers, links = [], []
    with h5py.File(DATA / "lava" / "tiny.net") as file:
        biases = [pixels] + [
            file[f"layer/{i}/bias"][()].astype(np.int32).reshape(-1, 1, 1) for i in (1, 2)]
        shapes = [tuple(int(n) for n in file[f"layer/{i}/shape"][()]) for i in range(3)]
        for i, (shape, bias) in enumerate(zip(shapes, biases, strict=True)):
            model = neuron(du=4095, dv=1024, threshold=25, bias=bias, bias_exponent=6)
            layers.append(Population(name=str(i), shape=shape, neuron=model, bias=ZERO, start=i))
            if i:
                kernel = file[f"layer/{i}/weight"][..., 0].astype(np.int16)
                conv = Conv(weight=kernel, in_shape=shapes[i - 1], stride=(2, 2))
                links.append(projection(str(i - 1), str(i), conv))
    idle = Dense(weight=np.zeros((layers[0].size, 1), np.int16), in_shape=(1,), out_shape=shapes[0])
    return network((port((1,)),), tuple(layers), (projection("in", "0", idle), *links))


@pytest.mark.parametrize(("layer", "file"), [("0", "input"), ("1", "layer1"), ("2", "output")])
def test_every_layer_of_lava_dls_small_network_fires_as_recorded(layer: str, file: str) -> None:
    recorded = np.moveaxis(np.load(DATA / "lava" / f"tiny_{file}.npy")[0], -1, 0)
    spikes = run(tiny(), {"in": np.zeros((1, 20, 1), np.int32)}).records[layer]["spikes"][0]
    lag = int(layer)
    np.testing.assert_array_equal(spikes[lag:lag + 15], recorded[1:])  # the record begins at 1
    assert recorded.sum() > 50


def test_the_convolution_of_lava_dls_small_network_has_the_recorded_current() -> None:
    recorded = np.moveaxis(np.load(DATA / "lava" / "tiny_current.npy")[0], -1, 0)
    u = run(tiny(), {"in": np.zeros((1, 20, 1), np.int32)}).records["1"]["u"][0]
    np.testing.assert_array_equal(u[1:16], recorded[1:] * 64)
    assert np.count_nonzero(recorded) > 5000


def oxford(inclusive: bool) -> Network:
    """The trained network of lava-dl's netx/oxford tutorial."""
    layers, links = [], []
    with h5py.File(DATA / "lava" / "oxford.net") as file:
        for i in range(2):
            group = file[f"layer/{i}"]
            cell = {name: int(group[f"neuron/{name}"][()]) for name in
                    ("iDecay", "vDecay", "vThMant")}
            layers.append(Population(
                name=str(i), shape=(int(group["shape"][0]),), bias=ZERO, start=i + 1,
                neuron=neuron(du=cell["iDecay"] - 1, dv=cell["vDecay"], threshold=cell["vThMant"],
                              inclusive=inclusive)))
            links.append(projection(
                str(i - 1) if i else "in", str(i), dense(group["weight"][()].astype(np.int16))))
    return network((port((200,)),), tuple(layers), tuple(links))


def raster(rows: np.ndarray, n: int) -> np.ndarray:
    """(2000, n) of 0 and 1 from rows of (step, neuron)."""
    grid = np.zeros((2000, n), np.int32)
    grid[tuple(rows.T)] = 1
    return grid


def events(name: str) -> np.ndarray:
    columns = np.load(DATA / "lava" / f"oxford_{name}.npy")
    return raster(np.rint(columns[:, [2, 0]]).astype(int), 200)


def test_the_first_layer_of_the_oxford_network_fires_as_lava_dl_recorded() -> None:
    """tests/goldens/lava: spikes of lava-dl's tutorials/.../netx/oxford/gts/{in,out}.npy (BSD-3)."""
    with np.load(GOLDENS / "oxford_first_layer.npz") as golden:
        sent, fired = raster(golden["sent"], 200), raster(golden["fired"], 256)
    spikes = run(oxford(inclusive=False), {"in": sent[None]}).records["0"]["spikes"][0]
    np.testing.assert_array_equal(spikes, fired)
    assert fired.sum() == 1826


def test_the_oxford_network_fires_as_slayer_recorded_which_counts_the_threshold_itself() -> None:
    """oxford_ground_truth.npy is what the tutorial plots as "Slayer Reference".

    SLAYER fired at v >= threshold before it had its `threshold_eps` (slayer/neuron/cuba.py).
    oxford_output.npy is the pattern that the network was trained for.
    """
    sent, recorded = events("input"), events("ground_truth")
    spikes = run(oxford(inclusive=True), {"in": sent[None]}).records["1"]["spikes"][0]
    np.testing.assert_array_equal(spikes, recorded)
    assert recorded.sum() == 10178
    strict = run(oxford(inclusive=False), {"in": sent[None]}).records["1"]["spikes"][0]
    assert np.count_nonzero(strict != recorded) == 3014
    assert np.sum(spikes * events("output")) < 0.5 * recorded.sum()
