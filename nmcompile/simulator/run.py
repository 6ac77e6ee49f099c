"""Run a program on its chip's model: spikes bit by bit, time and events step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import numpy as np

from nmcompile.ir import Network, Output, Population, Projection, step_weights
from nmcompile.ir.accumulate import by_sign
from nmcompile.ir.neurons.base import Accumulator, Array, ChipNeuron, State, accumulator_of
from nmcompile.mapping import Mapping, Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.simulator._traffic_kernels import count_by_owner
from nmcompile.simulator.deliver import Accumulation, Delivery, accumulation, delivery
from nmcompile.simulator.packets import traffic_of
from nmcompile.simulator.timing import Timing
from nmcompile.simulator.traffic import Tally

BATCH = 256  # samples that run at once
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Events of a whole run by slice; where packets begin, the last entry is the inputs.

    spikes, packets_out  (slices + 1,) int64
    hops                 (slices + 1, 3) int64: along x, along y, between chips
    events, packets_in   (slices,) int64
    busy_s               (slices,) float64, seconds in which each slice works, summed over steps
    """

    spikes: Array
    packets_out: Array
    hops: Array
    events: Array
    packets_in: Array
    busy_s: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a simulation gave.

    steps       steps of the network for each sample; the chip runs `chip_steps` of them, the
                last population lagging the first
    step_s      (samples, chip_steps) seconds of each step
    scores      output name -> (samples, *shape): spike counts, or membranes summed over the steps
    records     population -> variable -> (samples, steps, *shape), in the network's own time
    """

    steps: int
    step_s: Array
    counts: Counts
    scores: dict[str, Array]
    records: dict[str, dict[str, Array]]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.step_s)


def simulate(
    program: Program,
    inputs: dict[str, Array],
    *,
    record: tuple[str, ...] = (),
    progress: Progress = lambda samples: None,
) -> Run:
    """Run every sample from a reset chip.

    inputs    name -> (samples, steps, *shape) int32 payloads
    record    of "spikes", "v", "u": variables to keep of every population
    progress  told how many samples each finished batch had
    """
    samples = len(next(iter(inputs.values())))
    engine = _Engine(program, record)
    parts = []
    for begin in range(0, samples, BATCH):
        batch = {name: values[begin : begin + BATCH] for name, values in inputs.items()}
        parts.append(engine.run(batch))
        progress(len(parts[-1].step_s))
    return _joined(parts)


class _Engine:
    """The loop over steps; delivers, updates, counts."""

    def __init__(self, program: Program, record: tuple[str, ...]) -> None:
        network, mapping = program.network, program.mapping
        self._program, self._record = program, record
        self._incoming = {p.name: _deliveries(p, network, mapping) for p in network.populations}
        self._steppers = {
            p.name: cast(ChipNeuron, p.neuron).stepper(p.shape) for p in network.populations
        }
        self._traffic, self._timing = traffic_of(program), Timing(program)
        self._owner = [
            slice_of_neurons(network, mapping.slices, i) for i in range(len(network.populations))
        ]

    def run(self, inputs: dict[str, Array]) -> Run:
        network, latency = self._program.network, self._program.latency
        samples, steps = next(iter(inputs.values())).shape[:2]
        chip_steps = steps + max(latency.values())
        states = {p.name: _initial_state(p, samples) for p in network.populations}
        history: list[dict[str, Array]] = []
        keep = max((p.delay for p in network.projections), default=0)
        tallies = _Sums(samples, len(self._program.mapping.slices), chip_steps)
        log = _Log(self._program, samples, steps, self._record)
        for step in range(chip_steps):
            sent = {
                name: np.ascontiguousarray(_at(values, step)) for name, values in inputs.items()
            }
            sent |= self._update(states, history, samples, step)
            log.add(step, sent, states)
            self._count(tallies, sent, samples, step)
            history.insert(0, sent)
            del history[keep:]
        return Run(
            steps=steps,
            step_s=tallies.step_s,
            counts=tallies.counts(),
            scores=log.scores(),
            records=log.records,
        )

    def _update(
        self, states: dict[str, State], history: list[dict[str, Array]], samples: int, step: int
    ) -> dict[str, Array]:
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

    def _count(self, sums: _Sums, sent: dict[str, Array], samples: int, step: int) -> None:
        tally = self._traffic.tally(sent, samples)
        fired = np.zeros(tally.events.shape, np.int64)
        for population, owner in zip(self._program.network.populations, self._owner, strict=True):
            count_by_owner(sent[population.name], owner, fired)
        entering = sum(int(np.count_nonzero(sent[p.name])) for p in self._program.network.inputs)
        sending, receiving = self._timing.busy(tally, fired)
        sums.step_s[:, step] = self._timing.step(tally, sending, receiving)
        sums.add(tally, fired, entering, np.maximum(sending, receiving))


class _Sums:
    """Running totals over steps and samples."""

    def __init__(self, samples: int, n: int, chip_steps: int) -> None:
        self.step_s = np.zeros((samples, chip_steps))
        self._totals = {
            "spikes": np.zeros(n + 1, np.int64),
            "packets_out": np.zeros(n + 1, np.int64),
            "hops": np.zeros((n + 1, 3), np.int64),
            "events": np.zeros(n, np.int64),
            "packets_in": np.zeros(n, np.int64),
            "busy_s": np.zeros(n),
        }

    def add(self, tally: Tally, fired: Array, entering: int, busy: Array) -> None:
        for name in ("events", "packets_in", "packets_out", "hops"):
            self._totals[name] += getattr(tally, name).sum(axis=0)
        self._totals["spikes"][:-1] += fired.sum(axis=0)
        self._totals["spikes"][-1] += entering
        self._totals["busy_s"] += busy.sum(axis=0)

    def counts(self) -> Counts:
        return Counts(**self._totals)


class _Log:
    """Scores of the outputs, and the variables that the user asked for, in the network's time."""

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


def _at(values: Array, step: int) -> Array:
    """Payloads of one step, (samples, n); zero once the given steps are over."""
    if step < values.shape[1]:
        return values[:, step].reshape(len(values), -1)
    return np.zeros_like(values[:, 0]).reshape(len(values), -1)


def _joined(parts: list[Run]) -> Run:
    if len(parts) == 1:
        return parts[0]
    counts = Counts(
        **{
            name: sum(getattr(part.counts, name) for part in parts)
            for name in Counts.__dataclass_fields__
        }
    )
    return Run(
        steps=parts[0].steps,
        step_s=np.concatenate([part.step_s for part in parts]),
        counts=counts,
        scores={
            name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores
        },
        records={
            population: {
                name: np.concatenate([part.records[population][name] for part in parts])
                for name in variables
            }
            for population, variables in parts[0].records.items()
        },
    )
