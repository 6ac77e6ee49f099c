"""The text of the PyNN script that `pynn_script` writes, apart from its table of populations."""

from __future__ import annotations

HEAD = '''\
"""A network for SpiNNaker 1, as sPyNNaker 7.4.1 takes it.

    python pynn_network.py DATA OUTPUT.npz [--steps N] [--samples N] [--encode rate]

{usage}OUTPUT.npz  <population>/spikes, each (samples, steps, *shape). Step 0 of a population is the
            one in which input step 0 reaches it: LAGS steps later on the board's clock. So
            `nmc validate DIR --device file:OUTPUT.npz --input DATA` holds it against the build

Samples run one after the other, each from a network that is set up and loaded anew. The board is
the one that ~/.spynnaker.cfg names. Each population of PyNN is what one core holds (PARTS), so that
sPyNNaker cuts nothing anew; weights and parameters are in pynn_network.npz beside this script, and
are multiples of what the chip's words hold.
"""

from __future__ import annotations

import argparse
import math
import sys
import zipfile
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
    """Name -> (steps, *shape) spikes of all populations in their own time."""
    told = {name: np.zeros((steps + LAGS[name], math.prod(shape)), np.int32)
            for name, shape in SHAPES.items()}
    for i, ((name, *_), population) in enumerate(zip(PARTS, populations)):
        trains = population.get_data("spikes").segments[0].spiketrains
        for neuron, train in zip(ARRAYS[f"part{i}:neurons"], trains):
            when = np.rint(np.asarray(train.magnitude) / TIME_STEP_MS).astype(int)
            told[name][when[when < len(told[name])], neuron] = 1
    return {f"{name}/spikes": told[name][LAGS[name]:].reshape(steps, *shape)
            for name, shape in SHAPES.items()}


def run(sent, steps):
    """The spikes of one sample."""
    sim.setup(timestep=TIME_STEP_MS, time_scale_factor=TIME_SCALE)
    populations = parts()
    connect(sources(sent), populations)
    sim.run((steps + max(LAGS.values())) * TIME_STEP_MS)
    found = recorded(populations, steps)
    sim.end()
    return found
'''
