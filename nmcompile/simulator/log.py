"""Scores of the outputs, and the variables that the user asked for, in the network's time."""

from __future__ import annotations

import numpy as np

from nmcompile.ir import Output, Population, step_weights
from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Program
from nmcompile.simulator.records import SPIKES, Records, kind_of


class Log:
    """Keeps them step by step.

    scores  output name -> (samples, *shape)
    rows    (k,) places in the batch of the samples that still run
    """

    def __init__(self, program: Program, samples: int, steps: int, records: Records) -> None:
        self._program, self._steps, self._records = program, steps, records
        network = program.network
        self.rows = np.arange(samples)
        self.scores = {
            port.name: _no_score(port, network.population(port.population), samples)
            for port in network.outputs
        }
        self._weights = {port.name: step_weights(port, steps)
                         for port in network.outputs if port.weights}

    def own_step(self, population: str, chip_step: int) -> int | None:
        """The step of the network that a population is in, None outside of them."""
        step = chip_step - self._program.latency[population]
        return step if 0 <= step < self._steps else None

    def add(self, chip_step: int, sent: dict[str, Array], states: dict[str, State]) -> None:
        """Add a step of the samples that still run."""
        for population in self._program.network.populations:
            name = population.name
            step = self.own_step(name, chip_step)
            if step is None:
                continue
            values = {SPIKES: sent[name], **states[name]}
            self._records.add(name, step, self.rows, values)
            for port in self._program.network.outputs:
                if port.population == name:
                    self._score(port, step, values[port.variable])

    def _score(self, port: Output, step: int, values: Array) -> None:
        score = self.scores[port.name]
        arrived = values.reshape(len(self.rows), *score.shape[1:])
        score[self.rows] += self._weights[port.name][step] * arrived if port.weights else arrived


def _no_score(port: Output, population: Population, samples: int) -> Array:
    """Scores before the first step; whole numbers where nothing but whole numbers is added."""
    shape = (samples, *population.shape)
    whole = kind_of(population, port.variable).kind == "i"
    if whole and not port.weights and not port.offset:
        return np.zeros(shape, np.int64)
    offset = np.array(port.offset or 0.0)
    return np.zeros(shape) + (offset.reshape(shape[1:]) if port.offset else offset)
