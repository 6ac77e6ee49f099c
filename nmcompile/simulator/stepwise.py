"""One sample step by step, where what it is sent depends on what it answered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Coupled, Program, Timing
from nmcompile.simulator.engine import Engine, Lane
from nmcompile.simulator.records import SPIKES

ENDLESS = 1 << 31  # steps of a sample, at most


class Stepwise:
    """A sample on the model of a chip, which begins reset.

    timing  where it is `Coupled`, what is late changes spikes; time changes nothing otherwise
    """

    def __init__(self, program: Program, timing: Timing | None = None) -> None:
        self._program = program
        self._late = timing if isinstance(timing, Coupled) else None
        self._engine = Engine(program) if self._late is None else None
        self._now = {port.name: np.zeros(port.size, np.int32) for port in program.network.inputs}
        self.begin()

    def begin(self) -> None:
        """Begin another sample."""
        sent = {name: as_strided(now, (1, ENDLESS, len(now)), (0, 0, now.itemsize))
                for name, now in self._now.items()}  # every step is the one that is given next
        self._sent, self._step = sent, 0
        if self._engine is not None:
            self._lane = Lane(self._engine, sent, range(1), 1, None, None)
        elif self._late is not None:
            self._heard = _Heard(self._program)
            self._late.begin(1)
            self._late.watch(self._heard)

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a step of the chip.

        inputs  name -> (*shape) payloads that 32 bits hold

        Returns for each output its variable behind this step, (*shape): the answer to inputs that
        lie `Program.latency` steps back. Where cores are late, updates count in the step in which
        all cores have made them: spikes of several are added, and there may be none.
        """
        for name, now in self._now.items():
            now[:] = inputs[name].reshape(-1)
        if self._late is None:
            seen = _Seen(self._program)
            self._lane.advance(self._step, 1, seen)
        else:
            seen = self._heard
            self._heard.forget()
            frames = self._late.advance(
                self._sent, range(self._step, self._step + 1), self._heard)
            self._late.add(frames)
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


class _Heard(_Seen):
    """The same of updates that may come late: spikes are added up, states stay until then."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        for name, variable in self._read:
            shape = self._shapes[name]
            begin = program.network.population(name).neuron.initial_state(shape)
            self.values[name][variable] = {**begin, SPIKES: np.zeros(shape, np.int32)}[variable]

    def forget(self) -> None:
        """Another step begins, in which nothing has been sent yet."""
        for values in self.values.values():
            if SPIKES in values:
                values[SPIKES] = np.zeros_like(values[SPIKES])

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """See `engine.Log`."""
        sent = spikes.sum(axis=(0, 1), dtype=np.int32)
        if (population, SPIKES) in self._read:
            sent += self.values[population][SPIKES].reshape(-1)
        super().add(population, step, sample, sent, state)
