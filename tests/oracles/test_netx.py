"""lava-dl's netx loads the emitted `.net` file and gives the reference's spikes and membranes.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made. Two networks
go through Lava's runtime; all others through the same processes stepped in one interpreter
(tools/oracles/netx_step.py).
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.loihi_programs import payloads
from helpers.mnist import digits, rate_code
from helpers.random_loihi import random_chain
from nmcompile_backends.loihi.net_file import write_net

from nmcompile.frontends.interface import Request
from nmcompile.frontends.lava_file import FRONTEND
from nmcompile.frontends.torch_file import FRONTEND as TORCH
from nmcompile.ir import Network, run
from nmcompile.passes.quantize import payloads as payloads_of
from nmcompile.pipeline import compile_stage
from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
TOOLS = Path(__file__).parents[2] / "tools" / "oracles"
DATA = Path(__file__).parents[3] / "shared" / "data" / "lava"
DIGITS = Path(__file__).parents[2] / "examples"
STEPS = 16
SEEDS = range(33)  # seed 33 draws a convolution that leaves nothing
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def netx_order(values: np.ndarray) -> np.ndarray:
    """(steps, channel, row, column) as (steps, x, y, channel)."""
    return values.transpose(0, 3, 2, 1) if values.ndim == 4 else values


def prepared(net: Network, folder: Path, seed: int) -> dict[str, np.ndarray]:
    """Write the file, its input and the arguments of its description; what is sent."""
    folder.mkdir(exist_ok=True)
    note = write_net(net, folder)["network.net"]
    assert note.startswith("lava-dl network")
    arguments: dict[str, int] = {}
    if "reset_offset=1" in note:
        arguments |= {"reset_interval": 1000, "reset_offset": 1}
    if bits := net.inputs[0].format.payload_bits:
        arguments["input_message_bits"] = bits
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    give(folder, netx_order(sent["in"][0]), arguments)
    return sent


def give(folder: Path, rows: np.ndarray, arguments: dict[str, int]) -> None:
    np.save(folder / "input.npy", rows)
    (folder / "arguments.json").write_text(json.dumps(arguments))


def by_runtime(folder: Path) -> dict[str, np.ndarray]:
    """Spikes and v of every layer of the network.net in `folder`, by Lava's runtime."""
    arguments = (folder / "arguments.json").read_text()
    command = [PYTHON, TOOLS / "netx_run.py", "network.net", "input.npy", "output.npz", arguments]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    return dict(np.load(folder / "output.npz"))


def stepped(*folders: Path) -> list[dict[str, np.ndarray]]:
    """The same for several folders; what netx refuses to load has no records."""
    subprocess.run([PYTHON, TOOLS / "netx_step.py", *folders], check=True, timeout=300)
    return [dict(np.load(folder / "output.npz")) if (folder / "output.npz").exists() else {}
            for folder in folders]


def require_equal(net: Network, sent: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> int:
    """Compare all layers; how many spikes there were."""
    wanted = run(net, sent).records
    for number, layer in enumerate(net.populations):
        for variable in ("spikes", "v"):
            expected = netx_order(wanted[layer.name][variable][0])[layer.start:]
            np.testing.assert_array_equal(found[f"{number}/{variable}"][layer.start:], expected)
    assert found["0/v"].any()
    return sum(int(record["spikes"].sum()) for record in wanted.values())


def test_netx_runs_33_chains_with_the_same_spikes_and_membranes(tmp_path: Path) -> None:
    nets = [random_chain(seed) for seed in SEEDS]
    folders = [tmp_path / str(seed) for seed in SEEDS]
    sent = [prepared(*made) for made in zip(nets, folders, SEEDS, strict=True)]
    spikes = [require_equal(net, values, found)
              for net, values, found in zip(nets, sent, stepped(*folders), strict=True)]
    assert np.count_nonzero(np.array(spikes) > 100) > 20


def test_lavas_runtime_runs_a_chain_with_the_same_spikes_and_membranes(tmp_path: Path) -> None:
    net = random_chain(2)
    sent = prepared(net, tmp_path, 2)
    assert require_equal(net, sent, by_runtime(tmp_path)) > 10


def test_netx_runs_the_compiled_digits_network_with_the_same_spikes_and_membranes(
    tmp_path: Path,
) -> None:
    """Convolutions, graded inputs, biases that wait: the shipped example on four test digits."""
    shown = np.load(DIGITS / "digits_test.npz")["x"][:4]
    loaded = TORCH.load(Request(path=DIGITS / "digits.pt", sample=shown))
    net = compile_stage(loaded, load_target("loihi2")).program.network
    (port,) = net.inputs
    sent = np.repeat(payloads_of(port, shown), 20, axis=1).reshape(4, 20, *port.shape)
    folders = [tmp_path / str(i) for i in range(len(sent))]
    for folder, rows in zip(folders, sent, strict=True):
        folder.mkdir()
        note = write_net(net, folder)["network.net"]
        assert "input_message_bits=9, reset_interval=" in note
        give(folder, netx_order(rows), {
            "input_message_bits": 9, "reset_interval": 1000, "reset_offset": 1})
    for rows, found in zip(sent, stepped(*folders), strict=True):
        assert require_equal(net, {port.name: rows[None]}, found) > 1000


def numbers(path: Path) -> dict[str, int]:
    """Datasets of numbers in a .net file, and their sizes; those of the network's shape aside."""
    found: dict[str, int] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, entry: found.update({name: entry.size}) if isinstance(
            entry, h5py.Dataset) and entry.dtype.kind == "i" and name.split("/")[-1] in (
            "weight", "bias", "iDecay", "vDecay", "vThMant") else None)
    return found


def test_one_altered_bit_of_the_file_is_another_run_or_none(tmp_path: Path) -> None:
    net, rng = random_chain(9), np.random.default_rng(0)
    prepared(net, tmp_path / "whole", 9)
    places = numbers(tmp_path / "whole" / "network.net")
    assert {place.split("/")[-1] for place in places} == {
        "weight", "bias", "iDecay", "vDecay", "vThMant"}
    places.pop(max(place for place in places if place.endswith("vThMant")))  # it never fires
    folders, owners = [tmp_path / "whole"], []
    for place, size in places.items():
        for entry in rng.choice(size, min(size, 4), replace=False):
            folders.append(tmp_path / f"{place.replace('/', '-')}-{entry}")
            owners.append(place)
            prepared(net, folders[-1], 9)
            with h5py.File(folders[-1] / "network.net", "r+") as file:
                values = np.array(file[place][()])
                values.reshape(-1)[entry] ^= 1 << 5
                file[place][...] = values
    whole, *others = stepped(*folders)
    seen = [place for place, found in zip(owners, others, strict=True)
            if not found or any(not np.array_equal(found[name], whole[name]) for name in whole)]
    assert set(seen) == set(places)  # a weight of a neuron that never fires is seen by nobody
    assert len(seen) > len(owners) * 2 // 3


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/lava")
def test_netx_runs_the_tutorials_mnist_network_on_twenty_digits_the_same(tmp_path: Path) -> None:
    """The digits follow one another; what one leaves in the states goes into the next."""
    images, _ = digits(20)
    rows = rate_code(images).reshape(-1, 784)
    (tmp_path / "network.net").write_bytes((DATA / "mnist_128_64_10.net").read_bytes())
    give(tmp_path, rows, {})
    (found,) = stepped(tmp_path)
    request = Request(path=DATA / "mnist_128_64_10.net", sample=rows[None].astype(np.float32))
    program = compile_stage(FRONTEND.load(request), load_target("loihi2")).program
    wanted = run(program.network, {"input": rows[None]}).records
    for number, layer in enumerate(program.network.populations):
        for variable in ("spikes", "v"):
            np.testing.assert_array_equal(
                found[f"{number}/{variable}"], wanted[layer.name][variable][0])
        assert found[f"{number}/spikes"].sum() > 500


def sigma_delta_file(path: Path, random: np.random.Generator) -> None:
    """A delta encoder, two sigma-delta layers with even weights, and a sum at the end."""
    sizes = (6, 9, 7, 4)
    with h5py.File(path, "w") as file:
        for number, size in enumerate(sizes):
            group = file.create_group(f"layer/{number}")
            group["type"] = [b"dense" if number else b"input"]
            group["shape"] = [size]
            if number:
                group["weight"] = random.integers(-25, 35, (size, sizes[number - 1])) * 2
            if 0 < number < 3:
                group["bias"] = random.integers(-8, 9, size) * 2
            group["neuron/type"] = [b"SDNN"]
            group["neuron/vThMant"] = int(random.integers(1, 12))
            if number == 3:
                group["neuron/sigma_output"] = True


@pytest.mark.parametrize("seed", range(5))
def test_netx_gives_the_messages_and_sums_of_a_sigma_delta_file(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    sigma_delta_file(tmp_path / "network.net", random)
    loaded = FRONTEND.load(Request(path=tmp_path / "network.net")).network
    network = replace(loaded, projections=tuple(  # netx delays each synapse by a step
        replace(p, delay=int(p.source != "input")) for p in loaded.projections))
    rows = (random.integers(-60, 60, (1, STEPS, 6)) // 2 / 64).astype(np.float32)
    wanted = run(network, {"input": rows}).records
    messages = wanted["input_0"]["spikes"][0] * 64  # netx connects nothing to its input layers
    give(tmp_path, messages, {"skip_layers": 1, "input_message_bits": 16})
    found = by_runtime(tmp_path) if seed == 0 else stepped(tmp_path)[0]
    for number, population in enumerate(network.populations[1:]):
        records = wanted[population.name]
        sums = records["sigma"] if population.neuron.spiking else records["v"]
        np.testing.assert_array_equal(found[f"{number}/v"], sums[0] * 4096)
        if population.neuron.spiking:
            np.testing.assert_array_equal(found[f"{number}/spikes"], records["spikes"][0] * 64)
    assert np.count_nonzero(found["1/spikes"]) > 10


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/lava")
def test_netx_gives_the_spikes_of_lava_dls_trained_file(tmp_path: Path) -> None:
    rows = np.zeros((1900, 200), np.int32)
    events = np.load(DATA / "oxford_input.npy")
    rows[np.rint(events[:, 2]).astype(int), events[:, 0].astype(int)] = 1
    (tmp_path / "network.net").write_bytes((DATA / "oxford.net").read_bytes())
    give(tmp_path, rows, {})
    network = FRONTEND.load(Request(path=DATA / "oxford.net")).network
    wanted = run(network, {"input": rows[None].astype(np.float32)}).records
    (found,) = stepped(tmp_path)
    for number, population in enumerate(network.populations):
        late = number + 1  # netx delays each synapse by a step
        spikes = wanted[population.name]["spikes"][0]
        assert spikes.sum() > 1000
        np.testing.assert_array_equal(found[f"{number}/spikes"][late:], spikes[:-late])
