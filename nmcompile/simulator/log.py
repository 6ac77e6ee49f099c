"""Scores of the outputs, and the variables that the user asked for, in the network's time."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir import Output, Population, step_weights
from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Program


class Log:
    """Keeps them step by step.

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

    def add(self, chip_step: int, sent: dict[str, Array], states: dict[str, State]) -> None:
        """Keep what was sent in a step of the chip, and the states after it."""
        for population in self._program.network.populations:
            step = chip_step - self._program.latency[population.name]
            if not 0 <= step < self._steps:
                continue
            values = {"spikes": sent[population.name], **states[population.name]}
            for name, kept in self.records.get(population.name, {}).items():
                kept[:, step] = values[name].reshape(kept[:, step].shape)
            for port in self._program.network.outputs:
                if port.population == population.name:
                    score = self._scores[port.name]
                    arrived = values[port.variable].reshape(score.shape)
                    score += (self._weights[port.name][step] * arrived if port.weights
                              else arrived)

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
