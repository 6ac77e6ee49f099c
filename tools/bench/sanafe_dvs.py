"""Energy-delay product of SANA-FE's DVS example: its tutorial's mapping against ours.

    NMC_SANAFE_PYTHON=... python tools/bench/sanafe_dvs.py

SANA-FE, in its own interpreter (`tools/oracles/make_env.py sanafe DIR`), runs its six layers for
1,000 steps as its tutorial maps them, which also gives the spikes of each neuron. From these
`search` cuts the layers for Loihi 1 within all of its limits, `place` puts them on one chip, and
SANA-FE runs that mapping. The figures are SANA-FE's, the time of the search is ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.ir import Network, Population, Projection, SynapseFormat
from nmcompile.ir.maps import Conv, Dense
from nmcompile.mapping import Mapping, Slices
from nmcompile.mapping.capacity import demand, require_fit, slice_of_neurons
from nmcompile.passes.partition import search
from nmcompile.passes.place import place
from nmcompile.passes.route import route
from nmcompile.registry import backend
from nmcompile.target import Target, load_target

RUNNER = Path(__file__).parents[1] / "oracles" / "sanafe_dvs.py"
SHAPES = ((1, 32, 32), (16, 15, 15), (32, 13, 13), (64, 11, 11), (11, 9, 9), (11,))
FIRED = 365277  # in 1,000 steps, as the tutorial says


def main() -> None:
    """Run both mappings and print a table."""
    python = os.environ.get("NMC_SANAFE_PYTHON")
    if python is None:
        sys.exit("NMC_SANAFE_PYTHON names no Python with sanafe")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs = simulate(python, folder)
        network, spikes = example(folder)
        started = time.perf_counter(), time.process_time()
        slices = compile_example(network, spikes)
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        cores = {f"core_{i}": slices.core[slice_of_neurons(network, slices, i)]
                 for i in range(len(SHAPES))}
        np.savez(folder / "mapping.npz", **cores)
        ours = simulate(python, folder, folder / "mapping.npz")
    for before, after in zip(theirs, ours, strict=True):
        report(before, after)
    print(f"{len(slices)} slices on {len(np.unique(slices.core))} cores; "
          f"search and placement {wall:.1f} s ({cpu:.1f} s of processor time)")


def simulate(python: str, *arguments: Path) -> list[dict]:
    """SANA-FE's figures, one value for each timing model."""
    done = subprocess.run([python, RUNNER, *arguments], check=True, stdout=subprocess.PIPE,
                          text=True, timeout=3600)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def example(folder: Path) -> tuple[Network, dict[str, np.ndarray]]:
    """The example as one of our networks, of which only shapes and formats matter; its spikes."""
    data, recorded = np.load(folder / "example.npz"), np.load(folder / "spikes.npz")
    names = [f"layer_{i}" for i in range(len(SHAPES))]
    zero = np.zeros((), np.int32)
    neuron = LoihiNeuron(du=zero, dv=zero, threshold=zero, bias_mantissa=zero)
    maps: list[Conv | Dense] = [
        Conv(weight=data[f"conv{i}"].transpose(3, 2, 0, 1).astype(np.int32),
             in_shape=SHAPES[i - 1], stride=(2, 2) if i == 1 else (1, 1))
        for i in range(1, 5)]
    maps.append(Dense(weight=data["dense1"].T.astype(np.int32), in_shape=SHAPES[4],
                      out_shape=SHAPES[5]))
    network = Network(
        inputs=(), outputs=(),
        populations=tuple(Population(name=name, shape=shape, neuron=neuron, bias=zero)
                          for name, shape in zip(names, SHAPES, strict=True)),
        projections=tuple(
            Projection(source=source, target=target, map=linear, delay=1,
                       format=SynapseFormat(bits=8))
            for source, target, linear in zip(names, names[1:], maps, strict=False)))
    return network, {name: recorded[name] for name in names}


def compile_example(network: Network, spikes: dict[str, np.ndarray]) -> Slices:
    """Cut and place for SANA-FE's Loihi; every limit of a core is checked."""
    target = one_chip()
    chip = backend(target.family)
    found = search(network, target, chip, spikes)
    axons = route(network, found.slices)
    rates = {name: values.mean(axis=0) for name, values in spikes.items()}
    placed = place(network, found.slices, axons, target, rates, together=found.together)
    mapping = Mapping(slices=placed, axons=axons, rates=np.concatenate(
        [rates[node.name].astype(np.float32) for node in network.nodes]))
    require_fit(network, mapping, target, demand(network, mapping, target, chip))
    print(f"predicted {found.energy_j * 1e6:.2f} uJ and {found.step_s * 1e6:.2f} us a step")
    return placed


def one_chip() -> Target:
    """Loihi 1 as SANA-FE has it: one chip, no static power."""
    target = load_target("loihi1")
    chips = target.board.chips.model_copy(update={"value": 1})
    static = target.power_w.static.model_copy(update={"value": 0.0})
    return target.model_copy(update={
        "board": target.board.model_copy(update={"chips": chips}),
        "power_w": target.power_w.model_copy(update={"static": static})})


def report(before: dict, after: dict) -> None:
    """Print the figures of one timing model."""
    products = []
    for title, run in (("tutorial", before), ("nmcompile", after)):
        if run["neurons_fired"] != FIRED:
            sys.exit(f"{title}: {run['neurons_fired']} neurons fired, expected {FIRED}")
        energy, seconds = run["energy"]["total"], run["sim_time"]
        products.append(energy * seconds)
        print(f"{run['model']:>8} {title:>9}: {energy * 1e3:.3f} mJ, {seconds * 1e3:.2f} ms, "
              f"{run['packets_sent']:,} packets, EDP {products[-1]:.3e} J s")
    print(f"{before['model']:>8} energy-delay product {products[0] / products[1]:.2f} times lower")


if __name__ == "__main__":
    main()
