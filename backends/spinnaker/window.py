"""The ticks of a batch whose updates still go on: what cores were sent, send and become in them."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.spinnaker import core_arrays as arrays

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Disturb, Frames, Log, Program

STATES = ("exc", "inh", "v", "hold")


class Window:
    """Arrays of (samples, ticks, ...), from the first tick on that is not settled.

    A tick is settled once no core has updates of it to make. Its spikes and states are then logged
    and handed on, and what it took waits until it is asked for.

    base  the first tick that is not settled
    """

    def __init__(
        self, program: Program, machine: arrays.Machine, first: tuple[Array, ...], samples: int
    ) -> None:
        self.base, self._machine, self._samples = 0, machine, samples
        network, neurons, n = program.network, len(machine.sender), len(machine.cores)
        self._inputs, self._populations = network.inputs, network.populations
        self._lines = sum(port.size for port in network.inputs)
        self._position = np.empty(neurons, np.int64)  # of each neuron, in the network's order
        self._position[machine.sender - self._lines] = np.arange(neurons)
        self._sent: Array = np.zeros((samples, 0, self._lines), bool)
        self._spikes: Array = np.zeros((samples, 0, neurons), np.uint8)
        self._done: Array = np.zeros((samples, 0, n), np.uint8)
        self._counts: Array = np.zeros((samples, 0, n, arrays.N_COUNTS), np.int64)
        self._overran: Array = np.zeros((samples, 0), np.int64)
        self._waiting = [(self._counts, self._overran)]
        self._states = [np.tile(part, (samples, 1)) for part in first]

    def watch(self, log: Log, disturb: Disturb | None) -> None:
        """Keep states that `log` asks for; `disturb` changes what is sent."""
        neurons = len(self._position)
        self._disturb = disturb
        self._watched = {p.name for p in self._populations if log.watches(p.name)}
        self._codes = np.zeros((self._samples, 0, neurons), np.uint8)
        self._kept = np.zeros((self._samples, 4, 0, neurons), np.int32)

    def extend(self, inputs: dict[str, Array], begin: int, ticks: int) -> None:
        """Add the next ticks with what the inputs send in them."""
        self._begin = begin - self.base
        self._sent = _longer(self._sent, ticks)
        at = 0
        for port in self._inputs:
            values = inputs[port.name].reshape(self._samples, -1, port.size)
            given = np.zeros((ticks, self._samples, port.size), np.int32)
            part = values[:, begin : begin + ticks]
            given[: part.shape[1]] = part.swapaxes(0, 1)
            if self._disturb is not None:
                self._disturb(port.name, begin, 0, given)
            self._sent[:, self._begin :, at : at + port.size] = given.swapaxes(0, 1) != 0
            at += port.size
        self._spikes, self._done = _longer(self._spikes, ticks), _longer(self._done, ticks)
        self._counts = _longer(self._counts, ticks)
        self._overran = _longer(self._overran, ticks)
        if self._watched:
            self._kept = _longer(self._kept, ticks, axis=2)
        if self._disturb is not None:
            self._codes = np.concatenate([self._codes, self._coded(begin, ticks)], axis=1)

    def _coded(self, begin: int, ticks: int) -> Array:
        """(samples, ticks, neurons) what each neuron sends where it fires, and where not."""
        assert self._disturb is not None
        parts = []
        for population in self._populations:
            shape = (ticks, self._samples, population.size)
            fired, silent = np.ones(shape, np.int32), np.zeros(shape, np.int32)
            for payload in (fired, silent):
                self._disturb(population.name, begin, 0, payload)
            parts.append((fired != 0) * arrays.FIRED | (silent != 0) * arrays.SILENT)
        codes = np.concatenate(parts, axis=2).swapaxes(0, 1)
        return codes[:, :, self._machine.sender - self._lines].astype(np.uint8)

    def of_sample(self, row: int, begin: int) -> tuple[
            tuple[Array, Array], arrays.Window, Array, Array]:
        """The newest ticks of a sample as `_timing_arrays.run` takes them."""
        tick, line = np.nonzero(self._sent[row, self._begin :])
        ticks = self._sent.shape[1] - self._begin
        given = np.searchsorted(tick, np.arange(ticks + 1)), line
        told = arrays.Window(
            base=np.int64(self.base), codes=self._codes[row], spikes=self._spikes[row],
            kept=self._kept[row], done=self._done[row])
        return given, told, self._overran[row, self._begin :], self._counts[row, self._begin :]

    def settle(self, end: int, log: Log) -> Frames:
        """Log the ticks up to `end`, without it, and let go of them."""
        ticks, order = end - self.base, self._position
        spikes = self._spikes[:, :ticks, order].swapaxes(0, 1)
        self._log(spikes, log)
        sent = np.concatenate([self._sent[:, :ticks].swapaxes(0, 1), spikes != 0], axis=2)
        frame, sender = np.nonzero(sent.reshape(ticks * self._samples, sent.shape[2]))
        self._waiting.append((self._counts[:, :ticks], self._overran[:, :ticks]))
        self._sent, self._spikes, self._done, self._counts, self._overran, self._codes = (
            part[:, ticks:] for part in (self._sent, self._spikes, self._done, self._counts,
                                         self._overran, self._codes))
        self._kept = self._kept[:, :, ticks:]
        self.base = end
        return Frames(
            samples=self._samples, sender=sender.astype(np.int32),
            start=np.searchsorted(frame, np.arange(ticks * self._samples + 1)),
            payload=np.ones(len(sender), np.int32))

    def _log(self, spikes: Array, log: Log) -> None:
        """Log spikes (ticks, samples, neurons), and states tick by tick where they are asked for.

        A neuron that was not updated in a tick is as it was.
        """
        sizes = [population.size for population in self._populations]
        for population, end in zip(self._populations, np.cumsum(sizes).tolist(), strict=True):
            part = slice(end - population.size, end)
            sent = spikes[:, :, part].astype(np.int32)
            if population.name not in self._watched:
                log.add(population.name, self.base, 0, sent, {})
                continue
            own = self._position[part]
            for tick in range(len(spikes)):
                log.add(population.name, self.base + tick, 0, sent[tick : tick + 1],
                        self._become(tick, own))

    def _become(self, tick: int, position: Array) -> dict[str, Array]:
        """(samples, k) states of the neurons at positions behind a tick's updates."""
        core = np.searchsorted(self._machine.cores[:, arrays.FIRST], position, "right") - 1
        done = self._done[:, tick, core] != 0
        for states, kept in zip(self._states, self._kept[:, :, tick].swapaxes(0, 1), strict=True):
            states[:, position] = np.where(done, kept[:, position], states[:, position])
        return {name: states[:, position] for name, states in zip(
            STATES, self._states, strict=True)}

    def taken(self, steps: int, rows: Array) -> tuple[Array, Array]:
        """(cores, N_COUNTS) sums and (steps, samples) overruns of the next settled ticks."""
        counts, overran = (np.concatenate(parts, axis=1)
                           for parts in zip(*self._waiting, strict=True))
        self._waiting = [(counts[:, steps:], overran[:, steps:])]
        return counts[rows, :steps].sum(axis=(0, 1)), overran[rows, :steps].T


def _longer(values: Array, ticks: int, axis: int = 1) -> Array:
    """`values` with so many further ticks of zeros."""
    shape = list(values.shape)
    shape[axis] = ticks
    return np.concatenate([values, np.zeros(shape, values.dtype)], axis=axis)
