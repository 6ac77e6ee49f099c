"""Run networks of integer compartments in nengo-loihi's emulator, block by block.

    python nengo_run.py NETWORKS.json ARRAYS.npz OUTPUT.npz

NETWORKS.json  a list of networks: {"steps", "input": n, "blocks": {name: n},
               "projections": [[source, target], ...]}; a source is "in" or a block
ARRAYS.npz     <number>/<block>/{decay_u, decay_v, vth, bias, refract_delay, u, v}, (n,) each in the
               chip's integers; <number>/<block>/{vmin, vmax}; <number>/<projection>/weights,
               (n_source, n_target) in the unit of u; <number>/in, (steps, n) spikes
OUTPUT.npz     <number>/<block>/{u, v, spikes}, (steps, n)

Nothing is discretised by nengo: blocks, compartments, synapses and axons are built directly, and
the emulator steps them. A spike of step t arrives in step t + 1.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput


def main():
    """Run what the command line names."""
    warnings.simplefilter("ignore")  # the emulator tells of every overflow
    description, arrays, output = sys.argv[1:]
    with open(description) as file:
        networks = json.load(file)
    given, records = np.load(arrays), {}
    for number, network in enumerate(networks):
        mine = {key.split("/", 1)[1]: given[key] for key in given.files
                if key.split("/", 1)[0] == str(number)}
        for name, values in run(network, mine).items():
            records[f"{number}/{name}"] = values
    np.savez(output, **records)


def run(network, arrays):
    """States and spikes of one network after each step."""
    model = Model()
    source = SpikeInput(network["input"])
    for step, row in enumerate(arrays["in"]):
        source.add_spikes(step + 1, np.flatnonzero(row), permanent=True)
    model.add_input(source)
    blocks = {name: block(n, name, arrays) for name, n in network["blocks"].items()}
    for number, (start, end) in enumerate(network["projections"]):
        connect(source if start == "in" else blocks[start], blocks[end],
                arrays[f"{number}/weights"])
    for made in blocks.values():
        model.add_block(made)
    emulator = EmulatorInterface(model, seed=0)
    places = {name: emulator.block_info.slices[made] for name, made in blocks.items()}
    state = emulator.compartment
    for name, place in places.items():
        state.current[place], state.voltage[place] = arrays[name + "/u"], arrays[name + "/v"]
    rows = {"u": [], "v": [], "spikes": []}
    for _ in range(network["steps"]):
        emulator.step()
        for key, values in zip(rows, (state.current, state.voltage, state.spiked)):  # noqa: B905
            rows[key].append(np.array(values, dtype=np.int32))
    return {name + "/" + key: np.array(values)[:, place]
            for name, place in places.items() for key, values in rows.items()}


def block(n, name, arrays):
    """A block of `n` compartments with the registers of `arrays`."""
    made = LoihiBlock(n, label=name)
    compartment = made.compartment
    for register in ("decay_u", "decay_v", "vth", "bias", "refract_delay"):
        setattr(compartment, register, arrays[name + "/" + register].astype(np.int32))
    compartment.scale_u = compartment.scale_v = False
    compartment.vmin, compartment.vmax = int(arrays[name + "/vmin"]), int(arrays[name + "/vmax"])
    return made


def connect(start, end, weights):
    """Axons of all compartments of `start` into synapses of their own in `end`."""
    synapse = Synapse(len(weights))
    synapse.set_weights(weights)
    synapse.weights = [row[np.newaxis].astype(np.int32) for row in weights]
    end.add_synapse(synapse)
    axon = Axon(len(weights))
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(len(weights)))
    start.add_axon(axon)


if __name__ == "__main__":
    main()
