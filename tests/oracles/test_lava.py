"""The emitted Lava script, run by lava-nc, gives the reference's spikes and membranes.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    payloads,
    port,
    projection,
    relayed,
    telling,
    weights,
)
from helpers.random_loihi import calm, random_network
from nmcompile_backends.loihi.lava_script import write_lava

from nmcompile.ir import Network, Population, run

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
STEPS = 20
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def differing(net: Network, folder: Path, sent: dict[str, np.ndarray]) -> tuple[int, int]:
    """Values of spikes and v that differ between Lava and the reference, and spikes in all."""
    write_lava(net, folder)
    single = len(net.inputs) == 1
    given = folder / ("input.npy" if single else "input.npz")
    rows = {name: values[0] for name, values in sent.items()}
    np.save(given, rows["in"]) if single else np.savez(given, **rows)
    command = [PYTHON, "lava_model.py", given.name, "output.npz"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    wanted, found = run(net, sent).records, np.load(folder / "output.npz")
    unequal = sum(int(np.count_nonzero(found[f"{name}/{k}"] != record[k][0]))
                  for name, record in wanted.items() for k in ("spikes", "v"))
    return unequal, sum(int(record["spikes"].sum()) for record in wanted.values())


@pytest.mark.parametrize("seed", range(24))
def test_lava_runs_any_network_with_the_same_spikes_and_membranes(
    tmp_path: Path, seed: int
) -> None:
    net = calm(random_network(seed))
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, np.random.default_rng(seed)))
    assert unequal == 0
    assert spikes > 0


@pytest.mark.parametrize("seed", range(6))
def test_networks_of_lavas_own_processes_alone_give_the_same(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 60, 4)
    names = ["in", "a", "b", "c"]
    layers = tuple(
        Population(name=name, shape=(int(n),), bias=np.zeros((), np.int32), neuron=neuron(
            du=int(rng.integers(0, 4096)), dv=int(rng.integers(0, 4096)),
            threshold=int(rng.integers(50, 400)), bias=rng.integers(-900, 900, int(n))))
        for name, n in zip(names[1:], sizes[1:], strict=True))
    links = tuple(
        projection(a, b, dense(weights(rng, (int(n), int(m)))), delay=int(rng.integers(1, 5)),
                   exponent=int(rng.integers(-2, 2)))
        for a, b, m, n in zip(names, names[1:], sizes, sizes[1:], strict=False))
    net = network((port((int(sizes[0]),)),), layers, links)
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, rng))
    assert unequal == 0
    assert spikes > 0
    assert "class" not in (tmp_path / "lava_model.py").read_text()


def test_sums_beyond_16_bits_reach_the_neuron_whole(tmp_path: Path) -> None:
    layer = Population(name="a", shape=(1,), neuron=neuron(threshold=131071),
                       bias=np.zeros((), np.int32))
    net = network((port((8,), 9),), (layer,),
                  (projection("in", "a", dense(np.full((1, 8), 254, np.int16))),))
    sent = {"in": np.arange(-40, 40, 5).reshape(1, -1, 1).repeat(8, 2).astype(np.int32)}
    assert differing(net, tmp_path, sent)[0] == 0


@pytest.mark.parametrize("seed", range(6))
def test_lavas_graded_vector_sends_what_a_relay_sends(tmp_path: Path, seed: int) -> None:
    net = relayed(seed)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    write_lava(net, tmp_path)
    assert "= GradedVec(" in (tmp_path / "lava_model.py").read_text()
    np.save(tmp_path / "input.npy", sent["in"][0])
    command = [PYTHON, "lava_model.py", "input.npy", "output.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    wanted, found = run(net, sent).records, np.load(tmp_path / "output.npz")
    for population in net.populations:
        record = wanted[population.name]
        np.testing.assert_array_equal(found[f"{population.name}/spikes"], record["spikes"][0])
        if not population.neuron.graded:  # Lava clears a relay's v
            np.testing.assert_array_equal(found[f"{population.name}/v"], record["v"][0])
    assert np.abs(wanted["again"]["spikes"]).max() > 255
    assert wanted["out"]["spikes"].any()


@pytest.mark.parametrize("seed", range(8))
def test_lavas_sigma_delta_processes_send_the_same_changes(tmp_path: Path, seed: int) -> None:
    net = telling(seed)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    unequal, _ = differing(net, tmp_path, sent)
    assert unequal == 0
    script = (tmp_path / "lava_model.py").read_text()
    assert ("= Delta(" in script) == bool(seed % 2)
    assert ("= SigmaDelta(" in script) == bool(seed % 4 > 1)
    messages = run(net, sent).records["a"]["spikes"]
    assert 10 < np.count_nonzero(messages) < messages.size
    assert (messages < 0).any()


def test_two_inputs_come_from_one_npz(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = Population(name="a", shape=(5,), neuron=neuron(), bias=np.zeros((), np.int32))
    net = network((port((4,), name="left"), port((3,), 9, name="right")), (layer,), (
        projection("left", "a", dense(weights(rng, (5, 4)))),
        projection("right", "a", dense(weights(rng, (5, 3))), delay=2)))
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, rng))
    assert (unequal, spikes > 0) == (0, True)
