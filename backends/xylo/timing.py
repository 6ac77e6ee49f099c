"""The time of a step on a Xylo: the cycles of its maker's formula at the target's clock."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.xylo.cycles import counted, cycles
from nmcompile_backends.xylo.topology import hidden_populations, output_names

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program
from nmcompile.mapping.fan import fan_of, frame_of, reached
from nmcompile.target.schema import CycleFormula

INPUT, HIDDEN, OUTPUT = range(3)


class XyloTiming:
    """Steps of a core that visits all its inputs and neurons in each, then waits for the next.

    A step takes the cycles of `cycles`, from the inputs and hidden neurons that spike in it; the
    mean of a run is thus what Rockpool says of the run (see there for networks with aliases). The
    weights behind a spike are the network's average, as in the formula. Where the network says how
    long a step is (`dt`), longer ones are overruns. Timing never changes spikes: the next step then
    begins late.
    """

    name = "cycle formula"

    def __init__(self, program: Program, formula: CycleFormula) -> None:
        network = program.network
        outputs = output_names(network)
        group = {p.name: HIDDEN for p in hidden_populations(network, outputs)}
        group |= dict.fromkeys(outputs, OUTPUT)
        self._dt = network.dt
        self._formula, self._counted = formula, counted(network, formula)
        self._fan = fan_of(program)
        self._group = np.concatenate([
            np.full(node.size, group.get(node.name, INPUT)) for node in network.nodes])
        self._share = self._shares(program)

    def begin(self, samples: int) -> None:
        """Steps do not depend on each other."""

    def keep(self, rows: Array) -> None:
        """Steps of samples do not depend on each other."""

    def add(self, frames: Frames) -> Costs:
        """What a block takes."""
        place = frame_of(frames) * 3 + self._group[frames.sender]
        spiked = np.bincount(place, minlength=len(frames) * 3).reshape(-1, 3)
        of, found = self._counted, reached(self._fan, frames)
        spent = cycles(self._formula, of, spiked[:, INPUT] / of.channels,
                       spiked[:, HIDDEN] / of.hidden)
        clock = self._formula.clock_hz.value
        parts = np.array([spent.inputs.sum(), spent.hidden.sum(), spent.outputs.sum()])
        step_s = spent.total / clock
        return Costs(
            overran=None if self._dt is None else (step_s > self._dt).astype(np.int64),
            step_s=step_s, spikes=found.spikes, packets_out=found.packets_out,
            hops=np.zeros((self._fan.n + 1, 3), np.int64), events=found.events,
            packets_in=found.packets_in, busy_s=self._share @ parts / clock)

    def _shares(self, program: Program) -> Array:
        """(slices, 3) of the cycles spent on inputs, hidden neurons and outputs, by neurons.

        Those of inputs are the hidden neurons': the formula does not tell whose they are.
        """
        slices = program.mapping.slices
        names = [p.name for p in program.network.populations]
        outputs = [names.index(name) for name in output_names(program.network)]
        sizes, last = slices.sizes(), np.isin(slices.population, outputs)
        hidden = np.where(last, 0, sizes) / self._counted.hidden
        return np.stack([hidden, hidden, np.where(last, sizes, 0) / self._counted.outputs], axis=1)
