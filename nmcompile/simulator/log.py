"""Scores of the outputs, and the variables that the user asked for, in the network's time."""

from __future__ import annotations

import numpy as np

from nmcompile.ir import Output, Population, step_weights
from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Program
from nmcompile.simulator.exits import Watch
from nmcompile.simulator.idle import Idle
from nmcompile.simulator.records import SPIKES, Records, kind_of


class Log:
    """Keeps them as steps go by, for each sample by itself.

    scores  output name -> (samples, *shape)
    idle    what counts neurons that are idle, where the target has a cost of its own for them
    """

    def __init__(
        self, program: Program, samples: int, steps: int, records: Records,
        watch: Watch | None = None,
    ) -> None:
        network = program.network
        self._lags, self._outputs = network.lags, network.outputs
        self._samples, self._steps = samples, steps
        self._records, self._watch = records, watch
        self.scores = {
            port.name: _no_score(port, network.population(port.population), samples)
            for port in network.outputs
        }
        self._weights = {port.name: step_weights(port, steps)
                         for port in network.outputs if port.weights}
        self.idle = (Idle(program, samples, watch is not None)
                     if program.target.energies.neuron_idle else None)
        self._waiting: dict[str, list[tuple[int, int, Array]]] = {
            port.name: [] for port in network.outputs}

    def watches(self, population: str) -> bool:
        """Whether states of `population` are kept, so that it must be told of every step."""
        kept = {port.variable for port in self._outputs if port.population == population}
        kept |= set(self._records.record.get(population, ()))
        return self.idle is not None or bool(kept - {SPIKES})

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """Keep what samples from `sample` on did in the chip's steps from `step` on.

        spikes  (steps, samples, n); `state`, (samples, n) each, is that after the last step
        """
        if self.idle is not None:
            self.idle.add(population, step, sample, spikes[0], state)
        first = step - self._lags[population]
        begin, end = max(0, -first), min(len(spikes), self._steps - first)
        if begin >= end:
            return
        values = {SPIKES: spikes[begin:end], **{name: v[None] for name, v in state.items()}}
        self._records.add(population, first + begin, sample, values)
        for port in self._outputs:
            if port.population != population:
                continue
            if self._watch is None:
                score = self.scores[port.name][sample : sample + spikes.shape[1]]
                self._count(port, first + begin, values[port.variable], score)
            else:
                self._waiting[port.name].append(
                    (first + begin, sample, values[port.variable].copy()))

    def settle(self) -> None:
        """Count what waits for samples to stop; the first output says when they do."""
        for place, port in enumerate(self._outputs if self._watch is not None else ()):
            parts, self._waiting[port.name] = self._waiting[port.name], []
            if not parts:
                continue
            first = min(step for step, _, _ in parts)
            end = max(step + len(values) for step, _, values in parts)
            block = np.zeros((end - first, self._samples, parts[0][2].shape[2]), parts[0][2].dtype)
            for step, sample, values in parts:
                block[step - first : step - first + len(values),
                      sample : sample + values.shape[1]] = values
            for step, values in enumerate(block, first):
                self._settle(port, step, values, decides=place == 0)
        if self.idle is not None and self._watch is not None:
            self.idle.settle(self._watch.last)

    def _settle(self, port: Output, step: int, values: Array, *, decides: bool) -> None:
        assert self._watch is not None
        rows = np.flatnonzero(self._watch.last >= step + self._lags[port.population])
        score = self.scores[port.name]
        counted = score[rows]
        self._count(port, step, values[None, rows], counted)
        score[rows] = counted
        if decides:
            self._watch.look(step, rows, counted)

    def _count(self, port: Output, step: int, values: Array, score: Array) -> None:
        """Add `values` (k, samples, n) of the network's steps from `step` on to `score`."""
        if not port.weights:
            score += values.sum(axis=0, dtype=score.dtype).reshape(score.shape)
            return
        weights = self._weights[port.name][step : step + len(values)]
        for weight, value in zip(weights, values, strict=True):
            score += weight * value.reshape(score.shape)


def _no_score(port: Output, population: Population, samples: int) -> Array:
    """Scores before the first step; whole numbers where nothing but whole numbers is added."""
    shape = (samples, *population.shape)
    whole = kind_of(population, port.variable).kind == "i"
    if whole and not port.weights and not port.offset:
        return np.zeros(shape, np.int64)
    offset = np.array(port.offset or 0.0)
    return np.zeros(shape) + (offset.reshape(shape[1:]) if port.offset else offset)
