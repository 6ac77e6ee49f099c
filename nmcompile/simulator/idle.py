"""Neurons that have nothing to do in a step, which some chips do for less."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array, State, compartments_of
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.simulator._events_kernels import count_idle

MEMBRANE = "v"


class Idle:
    """Counts compartments of neurons whose membrane was 0 and that are all 0 after a step, unfired.

    What arrives and sums up to 0 is not seen: such a neuron is idle, too.

    by_slice  (slices,) int64 of all samples, up to the last step of each
    """

    def __init__(self, program: Program, samples: int) -> None:
        network, slices = program.network, program.mapping.slices
        self.by_slice = np.zeros(len(slices), np.int64)
        self._owner = {p.name: slice_of_neurons(network, slices, i)
                       for i, p in enumerate(network.populations)}
        self._size = {p.name: compartments_of(p.neuron) for p in network.populations}
        self._rest = {
            p.name: (p.neuron.initial_state((1, *p.shape))[MEMBRANE].reshape(1, -1) == 0).repeat(
                samples, axis=0)
            for p in network.populations}
        self._waiting: list[tuple[int, int, Array]] = []

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """Take in a step of samples from `sample` on; threads have samples of their own.

        spikes  (samples, n), `state` (samples, n) each, after the step
        """
        rest = self._rest[population][sample : sample + len(spikes)]
        now = np.ones(rest.shape, bool)
        for values in state.values():
            now &= values == 0
        found = np.zeros((len(spikes), len(self.by_slice)), np.int64)
        count_idle(rest, now, spikes, self._owner[population], found)
        rest[:] = state[MEMBRANE] == 0
        self._waiting.append((step, sample, found * self._size[population]))

    def settle(self, last: Array | None) -> None:
        """Count what was taken in, of each sample up to its step `last` (samples,) if given."""
        waiting, self._waiting = self._waiting, []
        for step, sample, found in waiting:
            runs = slice(None) if last is None else last[sample : sample + len(found)] >= step
            self.by_slice += found[runs].sum(axis=0)
