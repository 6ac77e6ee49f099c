"""Neurons that have nothing to do in a step, which some chips do for less."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array, State, compartments_of
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.simulator._events_kernels import count_idle, mark_zero

MEMBRANE = "v"


class Idle:
    """Counts compartments of neurons whose membrane was 0 and that are all 0 after a step, unfired.

    What arrives and sums up to 0 is not seen: such a neuron is idle, too.
    """

    def __init__(self, program: Program, samples: int, stops: bool) -> None:
        """`stops` says whether samples may stop, so that their counts must wait for `settle`."""
        network, slices = program.network, program.mapping.slices
        self._found = np.zeros((samples, len(slices)), np.int64)
        self._owner = {p.name: slice_of_neurons(network, slices, i)
                       for i, p in enumerate(network.populations)}
        self._size = {p.name: compartments_of(p.neuron) for p in network.populations}
        self._rest = {
            p.name: (p.neuron.initial_state((1, *p.shape))[MEMBRANE].reshape(1, -1) == 0).repeat(
                samples, axis=0)
            for p in network.populations}
        self._zero = {name: np.empty_like(rest) for name, rest in self._rest.items()}
        self._stops = stops
        self._waiting: list[tuple[int, int, Array]] = []

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """Take in a step of samples from `sample` on; threads have samples of their own.

        spikes  (samples, n), `state` (samples, n) each, after the step
        """
        mine = slice(sample, sample + len(spikes))
        rest, zero = self._rest[population][mine], self._zero[population][mine]
        for place, values in enumerate(state.values()):
            mark_zero(values, zero, place == 0)
        found = np.zeros_like(self._found[mine]) if self._stops else self._found[mine]
        count_idle(rest, zero, spikes, self._owner[population], self._size[population], found)
        mark_zero(state[MEMBRANE], rest, True)
        if self._stops:
            self._waiting.append((step, sample, found))

    def settle(self, last: Array) -> None:
        """Count what was taken in, of each sample up to its step `last` (samples,)."""
        waiting, self._waiting = self._waiting, []
        for step, sample, found in waiting:
            runs = last[sample : sample + len(found)] >= step
            self._found[sample : sample + len(found)][runs] += found[runs]

    @property
    def by_slice(self) -> Array:
        """(slices,) int64 of all samples, up to the last step of each."""
        return np.asarray(self._found.sum(axis=0))
