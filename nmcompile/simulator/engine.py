"""The loop over steps: deliver spikes, update neurons."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import cast

import numpy as np

from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.accumulate import by_sign
from nmcompile.ir.neurons.base import Accumulator, Array, ChipNeuron, State, accumulator_of
from nmcompile.mapping import Mapping, Program
from nmcompile.simulator.deliver import Accumulation, Delivery, accumulation, delivery

Sent = dict[str, Array]
Listener = Callable[[int, Sent, dict[str, State]], Array | None]


class Engine:
    """Runs a program step by step."""

    def __init__(self, program: Program) -> None:
        network, mapping = program.network, program.mapping
        self._program = program
        self._incoming = {p.name: _deliveries(p, network, mapping) for p in network.populations}
        self._steppers = {
            p.name: cast(ChipNeuron, p.neuron).stepper(p.shape) for p in network.populations
        }

    def run(self, inputs: Sent, chip_steps: int, listen: Listener) -> None:
        """Run a batch of samples from a reset chip.

        inputs  name -> (samples, steps, *shape) int32 payloads; zero once these steps are over
        listen  is told the step, what every input and population sends in it, (samples, n) int32,
                and the states after it. It may change what is sent, before anything else sees it,
                and answers with the places (k,) of the samples that go on, or None where all do
        """
        network = self._program.network
        rows = np.arange(len(next(iter(inputs.values()))))
        samples = len(rows)
        states = {p.name: _initial_state(p, samples) for p in network.populations}
        history: list[Sent] = []
        keep = max((p.delay for p in network.projections), default=0)
        for step in range(chip_steps):
            sent = {
                name: np.ascontiguousarray(_at(values, step, rows))
                for name, values in inputs.items()
            }
            sent |= self._update(states, history, len(rows), step)
            staying = listen(step, sent, states)
            history.insert(0, sent)
            del history[keep:]
            if staying is None:
                continue
            if not len(staying):
                return
            rows = rows[staying]
            states = {p: {n: v[staying] for n, v in state.items()} for p, state in states.items()}
            history = [{n: v[staying] for n, v in past.items()} for past in history]

    def _update(
        self, states: dict[str, State], history: list[Sent], samples: int, step: int
    ) -> Sent:
        network = self._program.network
        sent = {}
        for population in network.populations:
            spikes = np.zeros((samples, population.size), np.int32)
            sent[population.name] = spikes
            if step < population.start:
                continue
            state = states[population.name]
            current = np.zeros((samples, prod(population.current_shape)), np.int32)
            accumulator = accumulator_of(population.neuron)
            arriving = current if accumulator is None else _gathered(state, accumulator)
            for projection, deliver in self._incoming[population.name]:
                if projection.delay <= len(history):
                    payload = history[projection.delay - 1][projection.source]
                    _add(projection, deliver, payload, arriving, population.size)
            if accumulator is not None:
                _scatter(arriving, state, accumulator)
            self._steppers[population.name](state, current, spikes)
        return sent


def _initial_state(population: Population, samples: int) -> State:
    """The state before step 0 as flat arrays (samples, n)."""
    state = population.neuron.initial_state((samples, *population.shape))
    return {name: np.ascontiguousarray(v.reshape(samples, -1)) for name, v in state.items()}


def _deliveries(
    population: Population, network: Network, mapping: Mapping
) -> list[tuple[Projection, Delivery | Accumulation]]:
    """What reaches `population`, in the order in which it is added."""
    axons = dict(zip(map(id, network.projections), mapping.axons, strict=True))
    if accumulator_of(population.neuron) is None:
        return [(part, delivery(part, axons[id(p)], mapping.slices, population.shape))
                for p in network.incoming(population.name) for part in by_sign(p)]
    return [(p, accumulation(p, axons[id(p)], mapping.slices, population))
            for p in network.arriving(population.name)]


def _add(
    projection: Projection, deliver: Delivery | Accumulation, payload: Array, arriving: Array,
    size: int,
) -> None:
    """Add what arrives through one projection, after the shift of its weight exponent.

    size  of the population, each of whose currents has that many columns of `arriving`
    """
    assert projection.format is not None
    exponent = projection.format.exponent
    one = projection.current is not None and arriving.shape[1] > size
    if isinstance(deliver, Accumulation) or (exponent == 0 and not one):
        deliver.add(payload, arriving)
        return
    first = size * (projection.current or 0)
    fed = arriving[:, first : first + size] if one else arriving
    sums = np.zeros(fed.shape, arriving.dtype)
    deliver.add(payload, sums)
    fed += sums << exponent if exponent >= 0 else sums >> -exponent


def _gathered(state: State, accumulator: Accumulator) -> Array:
    """The states that spikes are added to, side by side as a current of several parts."""
    return np.concatenate([state[name] for name in accumulator.states], axis=1)


def _scatter(gathered: Array, state: State, accumulator: Accumulator) -> None:
    parts = np.split(gathered, len(accumulator.states), axis=1)
    for name, part in zip(accumulator.states, parts, strict=True):
        state[name][:] = part


def _at(values: Array, step: int, rows: Array) -> Array:
    """Payloads of one step of some samples, (k, n); zero once the given steps are over."""
    if step < values.shape[1]:
        return values[rows, step].reshape(len(rows), -1)
    return np.zeros((len(rows), prod(values.shape[2:])), values.dtype)
