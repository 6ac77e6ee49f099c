"""A slow, readable executor: it defines what a network means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.errors import DataShapeError
from nmcompile.ir.accumulate import accumulated, by_sign, in_floats, rows_of, whole_sums
from nmcompile.ir.network import Network, Output, Population, Projection
from nmcompile.ir.neurons.base import Array, State, accumulator_of
from nmcompile.ir.verify import order

Records = dict[str, dict[str, list[Array]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What a run recorded: for each population its variables as (samples, steps, *shape)."""

    records: dict[str, dict[str, Array]]

    def spikes(self, population: str) -> Array:
        """Outgoing spikes of `population`."""
        return self.records[population]["spikes"]


def run(network: Network, inputs: dict[str, Array], steps: int | None = None) -> Trace:
    """Run every sample from the initial state and record all spikes and states.

    inputs  name -> (samples, steps, *shape), payloads for an integer network
    steps   how many steps to run; later inputs are zero. Default: as many as the inputs have
    """
    samples, given = _extent(network, inputs)
    network = replace(network, projections=tuple(
        in_floats(part) for p in network.projections for part in by_sign(p)))
    steps = given if steps is None else steps
    sent = {name: values.reshape(samples, given, -1) for name, values in inputs.items()}
    states = {p.name: p.neuron.initial_state((samples, *p.shape)) for p in network.populations}
    records: Records = {
        p.name: {"spikes": [], **{name: [] for name in p.neuron.state_names}}
        for p in network.populations
    }
    populations = [network.population(name) for name in order(network)]
    rows = rows_of(network)
    for step in range(steps):
        for population in populations:
            state = states[population.name]
            current = _current(network, population, sent, records, step)
            for projection, weights in rows.get(population.name, ()):
                arrived = _arrived(projection, sent, records, step)
                if arrived is not None and step >= population.start:
                    state = accumulated(population.neuron, state, weights, arrived)
            states[population.name], spikes = _advance(population, state, current, step)
            _append(records[population.name], states[population.name], spikes)
    return Trace(
        records={
            name: {k: np.stack(v, axis=1) for k, v in record.items()}
            for name, record in records.items()
        }
    )


def run_aligned(network: Network, latency: dict[str, int], inputs: dict[str, Array]) -> Trace:
    """Run a retimed network and take off each population's lag."""
    steps = next(iter(inputs.values())).shape[1]
    trace = run(network, inputs, steps + max(latency.values(), default=0))
    records = {
        name: {k: v[:, latency[name] : latency[name] + steps] for k, v in record.items()}
        for name, record in trace.records.items()
    }
    return Trace(records=records)


def decisions(network: Network, trace: Trace) -> Array:
    """(samples,) the class that the first output says: the largest score, the first of equals."""
    return scores(network.outputs[0], trace).argmax(axis=1)


def scores(port: Output, trace: Trace) -> Array:
    """(samples, neurons) what `port` adds up over the steps of `trace`, float64."""
    records = trace.records[port.population][port.variable]
    flat = records.reshape(*records.shape[:2], -1)
    weights = step_weights(port, flat.shape[1])
    return np.asarray(np.einsum("bts,t->bs", flat, weights, dtype=np.float64)
                      + np.array(port.offset or 0.0))


def step_weights(port: Output, steps: int) -> Array:
    """(steps,) what each step counts; NmcError where the port was made for another number."""
    if port.weights and len(port.weights) != steps:
        raise DataShapeError(
            f"output {port.name}", f"weighs each of {len(port.weights)} steps by its "
            f"own factor, {steps} are run", f"Run {len(port.weights)} steps.")
    return np.array(port.weights or (1.0,) * steps)


def _advance(
    population: Population, state: State, current: Array, step: int
) -> tuple[State, Array]:
    if step < population.start:
        return state, np.zeros((len(current), *population.shape), current.dtype)
    return population.neuron.step(state, current + population.bias)


def _extent(network: Network, inputs: dict[str, Array]) -> tuple[int, int]:
    for port in network.inputs:
        if port.name not in inputs:
            raise DataShapeError(f"input {port.name}", "no values were given for it")
        if inputs[port.name].shape[2:] != port.shape:
            raise DataShapeError(
                f"input {port.name}",
                f"values have shape {inputs[port.name].shape[2:]} per step, expected {port.shape}",
            )
    first = inputs[network.inputs[0].name]
    return first.shape[0], first.shape[1]


def _current(
    network: Network,
    population: Population,
    sent: dict[str, Array],
    records: Records,
    step: int,
) -> Array:
    """The sum of what arrives; zero for a population that accumulates it by itself."""
    samples = next(iter(sent.values())).shape[0]
    integer = any(projection.format is not None for projection in network.projections)
    shape = population.current_shape
    total = np.zeros((samples, prod(shape)), np.int64 if integer else np.float32)
    summed = accumulator_of(population.neuron) is None
    for projection in network.incoming(population.name) if summed else ():
        spikes = _arrived(projection, sent, records, step)
        if spikes is not None:
            sums = (projection.map.apply(spikes) if projection.format is None
                    else whole_sums(projection, spikes))
            total = total + spread(sums, projection, total.shape[1])
    return total.reshape(samples, *shape)


def spread(sums: Array, projection: Projection, size: int) -> Array:
    """(n, size) of all currents: `sums` for those that `projection` feeds, 0 for the others."""
    if projection.current is None:
        return sums
    whole = np.zeros((len(sums), size), sums.dtype)
    begin = projection.current * sums.shape[1]
    whole[:, begin : begin + sums.shape[1]] = sums
    return whole


def _arrived(
    projection: Projection, sent: dict[str, Array], records: Records, step: int
) -> Array | None:
    """Spikes (samples, n) that reach the projection's target in `step`, None before step 0."""
    when = step - projection.delay
    if projection.source in sent:
        values = sent[projection.source]
        return projection.taken(values[:, when]) if 0 <= when < values.shape[1] else None
    history = records[projection.source]["spikes"]
    return projection.taken(history[when].reshape(len(history[when]), -1)) if when >= 0 else None


def _append(record: dict[str, list[Array]], state: State, spikes: Array) -> None:
    record["spikes"].append(spikes)
    for name, values in state.items():
        if name in record:
            record[name].append(values)
