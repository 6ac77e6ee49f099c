"""Scores of the outputs, and the variables that the user asked for, in the network's time."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir import Output, Population, step_weights
from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Program


class Log:
    """Keeps them as steps go by, for each sample by itself.

    records  population -> variable -> (samples, steps, *shape)
    """

    def __init__(self, program: Program, samples: int, steps: int, record: tuple[str, ...]) -> None:
        self._program, self._steps = program, steps
        network = program.network
        self._scores = {
            port.name: _no_score(port, network.population(port.population), samples)
            for port in network.outputs
        }
        self._weights = {port.name: step_weights(port, steps)
                         for port in network.outputs if port.weights}
        self.records = {
            p.name: {
                name: np.zeros((samples, steps, *p.shape), _kind_of(p, name))
                for name in record
                if name in ("spikes", *p.neuron.state_names)
            }
            for p in network.populations
            if record
        }

    def watches(self, population: str) -> bool:
        """Whether states of `population` are kept, so that it must be told of every step."""
        kept = {port.variable for port in self._program.network.outputs
                if port.population == population} | set(self.records.get(population, ()))
        return bool(kept - {"spikes"})

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """Keep what samples from `sample` on did in the chip's steps from `step` on.

        spikes  (steps, samples, n); `state`, (samples, n) each, is that after the last step
        """
        first = step - self._program.latency[population]
        begin, end = max(0, -first), min(len(spikes), self._steps - first)
        if begin >= end:
            return
        own, steps = slice(sample, sample + spikes.shape[1]), slice(first + begin, first + end)
        sent = spikes[begin:end]
        for name, kept in self.records.get(population, {}).items():
            values = sent if name == "spikes" else state[name][None]
            kept[own, steps] = values.swapaxes(0, 1).reshape(kept[own, steps].shape)
        for port in self._program.network.outputs:
            if port.population != population:
                continue
            score = self._scores[port.name][own]
            values = sent if port.variable == "spikes" else state[port.variable][None]
            if not port.weights:
                score += values.sum(axis=0, dtype=score.dtype).reshape(score.shape)
                continue
            for weight, value in zip(self._weights[port.name][steps], values, strict=True):
                score += weight * value.reshape(score.shape)

    def scores(self) -> dict[str, Array]:
        """Output name -> (samples, *shape)."""
        return self._scores


def _kind_of(population: Population, variable: str) -> np.dtype[Any]:
    """Type of the numbers of a variable; those of states differ from chip to chip."""
    if variable == "spikes":
        return np.dtype(np.int32)
    return population.neuron.initial_state((1, *population.shape))[variable].dtype


def _no_score(port: Output, population: Population, samples: int) -> Array:
    """Scores before the first step; whole numbers where nothing but whole numbers is added."""
    shape = (samples, *population.shape)
    whole = _kind_of(population, port.variable).kind == "i"
    if whole and not port.weights and not port.offset:
        return np.zeros(shape, np.int64)
    offset = np.array(port.offset or 0.0)
    return np.zeros(shape) + (offset.reshape(shape[1:]) if port.offset else offset)
