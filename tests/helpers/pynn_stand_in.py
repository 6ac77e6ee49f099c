"""A stand-in for pyNN.spiNNaker that runs a program of ours on the clock of the chip.

It has the names that the emitted script uses. What a population records comes as in neo: a list of
spike trains in milliseconds, one for each neuron, in `get_data("spikes").segments[0].spiketrains`.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from nmcompile.ir import run
from nmcompile.mapping import Program


class Population:
    def __init__(self, size, cell, label, additional_parameters=None):
        self.size, self.cell, self.label = size, cell, label
        self.trains = []

    def initialize(self, **states):
        pass

    def record(self, variables):
        assert variables == "spikes"

    def get_data(self, variables):
        trains = [SimpleNamespace(magnitude=train) for train in self.trains]
        return SimpleNamespace(segments=[SimpleNamespace(spiketrains=trains)])


def stand_in(program: Program) -> ModuleType:
    """The module; its `runs` are the steps of each run."""
    module, network = ModuleType("pyNN.spiNNaker"), program.network
    made: list[Population] = []
    module.runs = []

    def population(size, cell, **more):
        made.append(Population(size, cell, **more))
        return made[-1]

    def run_for(time_ms):
        steps, lines = int(time_ms), {}
        for source in [p for p in made if isinstance(p.cell, list)]:
            rows = np.zeros((steps, source.size), np.int32)
            for line, times in enumerate(source.cell):
                rows[np.array(times, int), line] = 1
            lines.setdefault(source.label.split("[")[0], []).append(rows)
        sent = {port.name: np.concatenate(lines[port.name], 1).reshape(1, steps, *port.shape)
                for port in network.inputs}
        records = run(network, sent).records
        slices = program.mapping.slices
        parts = [p for p in made if not isinstance(p.cell, list)]
        for number, part in enumerate(parts):
            of = network.populations[int(slices.population[number])]
            spikes = records[of.name]["spikes"].reshape(steps, -1)
            neurons = slices.members(of.shape, number)
            part.trains = [np.flatnonzero(spikes[:, n]) * 1.0 for n in neurons]
        module.runs.append(steps)

    module.Population, module.run = population, run_for
    module.SpikeSourceArray = lambda spike_times: spike_times
    module.IF_curr_delta = module.IF_curr_exp = lambda **parameters: parameters
    module.FromListConnector = lambda rows, column_names: rows
    module.Projection = lambda source, target, connector, receptor_type: None
    module.setup = lambda timestep, time_scale_factor: made.clear()
    module.end = lambda: None
    return module
