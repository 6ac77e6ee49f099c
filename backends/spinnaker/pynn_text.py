"""The text of the PyNN script that `pynn_script` writes, apart from its table of populations."""

from __future__ import annotations

HEAD = '''\
"""A network for SpiNNaker 1, as sPyNNaker 7.4.1 takes it.

    python pynn_network.py INPUT.npz OUTPUT.npz [--steps N]

INPUT.npz has for each of INPUTS an array (steps, lines), whose values above 0 are spikes.
OUTPUT.npz gets for each of POPULATIONS an array (steps, neurons) of spikes. The board is the one
that ~/.spynnaker.cfg names. Each population of PyNN is what one core holds (PARTS), so that
sPyNNaker cuts nothing anew; weights and parameters are in pynn_network.npz beside this script, and
are multiples of what the chip's words hold.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyNN.spiNNaker as sim

'''

MAIN = '''
ARRAYS = dict(np.load(Path(__file__).with_name("pynn_network.npz"), allow_pickle=False))


def sources(spikes):
    """The populations of spike sources, one for each of SOURCES."""
    made = []
    for name, first, end in SOURCES:
        times = [np.flatnonzero(line).tolist() for line in spikes[name][:, first:end].T > 0]
        made.append(sim.Population(end - first, sim.SpikeSourceArray(spike_times=times),
                                   label=f"{name}[{first}:{end}]"))
    return made


def parts():
    """The populations of neurons, one for each of PARTS."""
    made = []
    for i, (name, cell, shifts, timer) in enumerate(PARTS):
        values = {key.split(":")[1]: value for key, value in ARRAYS.items()
                  if key.startswith(f"part{i}:")}
        neurons = values.pop("neurons")
        states = {key: values.pop(key) for key in ("v", "isyn_exc", "isyn_inh")}
        # sPyNNaker shifts ring buffers by the bits of the sum that it is told to expect.
        made.append(sim.Population(
            len(neurons), getattr(sim, cell)(**values), label=f"{name}[{i}]",
            additional_parameters={"max_expected_summed_weight": [0.75 * 2**s for s in shifts],
                                   "n_synapse_cores": 0}))
        made[-1].initialize(refract_timer=timer, **states)
        made[-1].record("spikes")
    return made


def connect(before, after):
    """The projections of LINKS."""
    for number, (kind, source, target, receptor, unit, delay) in enumerate(LINKS):
        chosen = before if kind == "input" else after
        words = ARRAYS[f"link{number}"].astype(float)  # source, target, units of weight
        rows = np.column_stack([words * [1, 1, unit], np.full(len(words), delay)])
        sim.Projection(chosen[source], after[target],
                       sim.FromListConnector(rows, column_names=["weight", "delay"]),
                       receptor_type=receptor)


def recorded(populations, steps):
    """Name -> (steps, neurons) spikes of all populations."""
    told = {name: np.zeros((steps, size), np.uint8) for name, size in POPULATIONS.items()}
    for i, ((name, *_), population) in enumerate(zip(PARTS, populations)):
        trains = population.get_data("spikes").segments[0].spiketrains
        for neuron, train in zip(ARRAYS[f"part{i}:neurons"], trains):
            told[name][np.rint(train.magnitude / TIME_STEP_MS).astype(int), neuron] = 1
    return told


def main():
    """Run the spikes of one file, and write those of the network to another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, help="default: as many as the input has")
    arguments = parser.parse_args()
    with np.load(arguments.input, allow_pickle=False) as file:
        spikes = {name: file[name].reshape(len(file[name]), -1) for name in INPUTS}
    steps = arguments.steps or max(len(lines) for lines in spikes.values())
    sim.setup(timestep=TIME_STEP_MS, time_scale_factor=TIME_SCALE)
    populations = parts()
    connect(sources(spikes), populations)
    sim.run(steps * TIME_STEP_MS)
    np.savez_compressed(arguments.output, **recorded(populations, steps))
    sim.end()


if __name__ == "__main__":
    main()
'''
