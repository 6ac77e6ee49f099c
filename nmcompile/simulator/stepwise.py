"""One sample step by step, where what it is sent depends on what it answered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Program
from nmcompile.simulator.engine import Engine, Lane
from nmcompile.simulator.records import SPIKES

ENDLESS = 1 << 31  # steps of a sample, at most


class Stepwise:
    """A sample on the model of a chip, which begins reset."""

    def __init__(self, program: Program) -> None:
        self._program, self._engine = program, Engine(program)
        self._now = {port.name: np.zeros(port.size, np.int32) for port in program.network.inputs}
        self.begin()

    def begin(self) -> None:
        """Begin another sample."""
        sent = {name: as_strided(now, (1, ENDLESS, len(now)), (0, 0, now.itemsize))
                for name, now in self._now.items()}  # every step is the one that is given next
        self._lane = Lane(self._engine, sent, range(1), 1, None, None)
        self._step = 0

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a step of the chip.

        inputs  name -> (*shape) payloads that 32 bits hold

        Returns for each output its variable behind this step, (*shape): the answer to inputs that
        lie `Program.latency` steps back.
        """
        for name, now in self._now.items():
            now[:] = inputs[name].reshape(-1)
        seen = _Seen(self._program)
        self._lane.advance(self._step, 1, seen)
        self._step += 1
        return {port.name: seen.values[port.population][port.variable]
                for port in self._program.network.outputs}


class _Seen:
    """What the populations that outputs read did in a step.

    values  population -> variable -> (*shape)
    """

    def __init__(self, program: Program) -> None:
        network = program.network
        self._shapes = {port.population: network.population(port.population).shape
                        for port in network.outputs}
        self._read = {(port.population, port.variable) for port in network.outputs}
        self.values: dict[str, dict[str, Array]] = {name: {} for name in self._shapes}

    def watches(self, population: str) -> bool:
        """See `engine.Log`."""
        return any(name == population and variable != SPIKES for name, variable in self._read)

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """See `engine.Log`."""
        for name, values in {**state, SPIKES: spikes}.items():
            if (population, name) in self._read:
                self.values[population][name] = values.reshape(self._shapes[population]).copy()
