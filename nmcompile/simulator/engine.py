"""The loop over steps: deliver spikes, update neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from typing import cast

import numpy as np

from nmcompile.arithmetic.jit import threads
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.accumulate import by_sign
from nmcompile.ir.neurons.base import Array, ChipNeuron, State, Stepper, accumulator_of
from nmcompile.mapping import Disturb, Frames, Log, Mapping, Program
from nmcompile.simulator import _deliver_kernels as kernels
from nmcompile.simulator._spike_kernels import turn
from nmcompile.simulator.deliver import Accumulation, Delivery, accumulation, delivery
from nmcompile.simulator.order import groups_of
from nmcompile.simulator.spikes import Spikes, gathered

Sent = dict[str, Array]
AT_ONCE = 1 << 21  # bytes of currents and spikes that a lane works on, about a cache of a core
SPARSER = 8  # lines of an input, of which only the spikes are kept, that count as one neuron
LANE = 128  # samples of a lane, at most
BLOCK = 128  # steps that all lanes run before their spikes are gathered, at most
WORTH = 1 << 18  # synaptic events from which on threads share a delivery


@dataclass(frozen=True, kw_only=True, eq=False)
class Arriving:
    """One projection into a population, of which `node` is the source's place among the nodes."""

    projection: Projection
    node: int
    deliver: Delivery | Accumulation


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One population ready to run."""

    population: Population
    node: int
    arriving: tuple[Arriving, ...]
    stepper: Stepper
    accumulates: bool

    @property
    def columns(self) -> int:
        """Input currents of all neurons."""
        return prod(self.population.current_shape)


class Engine:
    """Runs a program; nothing in it changes from run to run.

    sample_bytes  what the states of a sample take
    """

    def __init__(self, program: Program) -> None:
        network = program.network
        node = {n.name: i for i, n in enumerate(network.nodes)}
        self.network = network
        self.layers = {
            p.name: Layer(
                population=p, node=node[p.name],
                arriving=tuple(_arriving(p, network, program.mapping, node)),
                stepper=cast(ChipNeuron, p.neuron).stepper(p.shape),
                accumulates=accumulator_of(p.neuron) is not None)
            for p in network.populations
        }
        self.groups = groups_of(network)
        self.sample_bytes = sum(a.nbytes for p in network.populations
                                for a in _initial_state(p, 1).values())

    def run(
        self, inputs: Sent, chip_steps: int, log: Log,
        hand_on: Callable[[Frames], bool] | None = None, disturb: Disturb | None = None,
    ) -> None:
        """Run a batch of samples from a reset chip.

        inputs   name -> (samples, steps, *shape) integer payloads that 32 bits hold, best narrow
                 ones; zero once these steps are over
        hand_on  is given all that is sent, some steps at a time, in order; says whether to go on.
                 None where nobody asks
        disturb  may change what the input or population of a name sends, (steps, samples, n) int32,
                 in place; it is told the first step and the first sample of the batch. Threads call
                 it, as they do `log`
        """
        samples, workers = len(next(iter(inputs.values()))), threads()
        widest = max(*(layer.columns for layer in self.layers.values()),
                     *(ceil(port.size / SPARSER) for port in self.network.inputs))
        at_once = max(1, AT_ONCE // (2 * np.dtype(np.int32).itemsize * widest))
        most = min(samples, LANE, at_once)
        own, steps = min(ceil(samples / workers), most), min(at_once // most, BLOCK, chip_steps)
        with ThreadPoolExecutor(workers) as pool:
            shared = pool if own == samples and workers > 1 else None
            lanes = [Lane(self, inputs, range(first, min(first + own, samples)), steps,
                           shared, disturb)
                     for first in range(0, samples, own)]
            each = None if shared else pool
            sizes = [node.size for node in self.network.nodes]
            for step, n in _blocks(chip_steps, steps):
                _all([partial(lane.advance, step, n, log) for lane in lanes], each)
                if hand_on is None:
                    continue
                sent = [(lane.samples.start, len(lane.samples), lane.sent) for lane in lanes]
                if not hand_on(gathered(sent, sizes, samples, (step, n), partial(_all, pool=each))):
                    return


class Lane:
    """Some samples of a batch: their states and spikes."""

    def __init__(
        self, engine: Engine, inputs: Sent, samples: range, steps: int,
        pool: ThreadPoolExecutor | None, disturb: Disturb | None,
    ) -> None:
        self._disturb = disturb
        network, n = engine.network, len(samples)
        self.samples, self._engine, self._pool = samples, engine, pool
        self._inputs = [inputs[port.name][samples.start : samples.stop].reshape(
            n, -1, port.size) for port in network.inputs]
        self._given = [np.empty((steps, n, values.shape[2]), values.dtype)
                       for values in self._inputs]
        self._states = {p.name: _initial_state(p, n) for p in network.populations}
        heard = {node.name: max((p.delay for p in network.outgoing(node.name)), default=0)
                 for node in network.nodes}
        self.sent = [Spikes(n, node.size, heard[node.name], steps) for node in network.nodes]
        widest = max(layer.columns for layer in engine.layers.values())
        self._current = np.zeros(steps * n * widest, np.int32)
        self._spikes = np.zeros(steps * n * widest, np.int32)

    def advance(self, step: int, steps: int, log: Log) -> None:
        """Run `steps` steps from `step` on, population by population as far as loops let it.

        Spikes that have arrived everywhere are let go of before.
        """
        for spikes in self.sent:
            spikes.forget()
        names = [port.name for port in self._engine.network.inputs]
        for name, spikes, values, turned in zip(
                names, self.sent, self._inputs, self._given, strict=False):
            given = turned[: max(0, min(steps, values.shape[1] - step))]
            turn(values, step, given)
            if self._disturb is None:
                spikes.add(given, steps)
            else:
                entering = np.zeros((steps, *given.shape[1:]), np.int32)
                entering[: len(given)] = given
                self._disturb(name, step, self.samples.start, entering)
                spikes.add(entering, steps)
        for group in self._engine.groups:
            for begin, n in _blocks(steps, group.steps or steps):
                for name in group.populations:
                    self._run(self._engine.layers[name], step + begin, n, log)

    def _run(self, layer: Layer, step: int, steps: int, log: Log) -> None:
        """Run one population, which is held before the step in which it starts."""
        name, n, samples = layer.population.name, layer.population.size, len(self.samples)
        current = self._current[: steps * samples * layer.columns].reshape(steps, samples, -1)
        spikes = self._spikes[: steps * samples * n].reshape(steps, samples, n)
        state, held = self._states[name], min(max(layer.population.start - step, 0), steps)
        spikes[:held] = 0
        if not layer.accumulates:
            current[held:] = 0
            self._deliver(layer, step + held, current[held:])
        if not layer.accumulates and not log.watches(name):
            if held < steps:
                layer.stepper(state, current[held:], spikes[held:])
            if self._disturb is not None:
                self._disturb(name, step, self.samples.start, spikes)
            log.add(name, step, self.samples.start, spikes, state)
        else:
            self._one_by_one(layer, step, held, current, spikes, log)
        self.sent[layer.node].add(spikes, steps)

    def _one_by_one(
        self, layer: Layer, step: int, held: int, current: Array, spikes: Array, log: Log
    ) -> None:
        """Run some steps of one population apart from each other."""
        name = layer.population.name
        state = self._states[name]
        for i in range(len(current)):
            if i >= held:
                if layer.accumulates:
                    current[i] = 0
                    self._accumulate(layer, step + i, state)
                layer.stepper(state, current[i : i + 1], spikes[i : i + 1])
            if self._disturb is not None:
                self._disturb(name, step + i, self.samples.start, spikes[i : i + 1])
            log.add(name, step + i, self.samples.start, spikes[i : i + 1], state)

    def _accumulate(self, layer: Layer, step: int, state: State) -> None:
        for link in layer.arriving:
            sent, delay = self.sent[link.node], link.projection.delay
            if step >= delay and isinstance(link.deliver, Accumulation):
                link.deliver.add(sent.frames(step - delay, 1), sent.source, sent.payload, state)

    def _deliver(self, layer: Layer, step: int, current: Array) -> None:
        """Add to `current` (steps, samples, columns) what arrives from `step` on."""
        for link in layer.arriving:
            silent = max(0, link.projection.delay - step)
            steps = len(current) - silent
            if steps <= 0 or isinstance(link.deliver, Accumulation):
                continue
            sent = self.sent[link.node]
            start = sent.frames(step + silent - link.projection.delay, steps)
            out = current[silent:].reshape(steps * len(self.samples), -1)
            self._add(link, layer.population, (start, sent.source, sent.payload), out)

    def _add(
        self, link: Arriving, target: Population, spikes: tuple[Array, Array, Array], out: Array
    ) -> None:
        """Add what arrives through one projection, after the shift of its weight exponent."""
        projection, deliver = link.projection, cast(Delivery, link.deliver)
        assert projection.format is not None
        exponent, column = projection.format.exponent, target.size * (projection.current or 0)
        if exponent == 0:
            _all(self._parts(deliver, spikes, column, out), self._pool)
            return
        columns = target.size if projection.current is not None else out.shape[1]
        sums = np.zeros((len(out), columns), np.int32)
        _all(self._parts(deliver, spikes, 0, sums), self._pool)
        kernels.add_shifted(sums, exponent, column, out)

    def _parts(
        self, deliver: Delivery, spikes: tuple[Array, Array, Array], column: int, out: Array
    ) -> list[Callable[[], None]]:
        """A delivery cut by frames, or by targets, so that threads may share it if it is large."""
        start, source, payload = spikes
        whole, frames = (0, deliver.parts), len(out)
        events = int(start[-1] - start[0]) * deliver.fan_out
        if self._pool is None or events < WORTH:
            return [partial(deliver.add, start, source, payload, whole, column, out)]
        cuts, n = threads(), frames if frames >= threads() else deliver.parts
        ranges = [(i * n // cuts, (i + 1) * n // cuts) for i in range(cuts)]
        if frames >= cuts:
            return [partial(deliver.add, start[a : b + 1], source, payload, whole, column, out[a:b])
                    for a, b in ranges]
        return [partial(deliver.add, start, source, payload, part, column, out)
                for part in ranges if part[0] < part[1]]


def _all(calls: list[Callable[[], None]], pool: ThreadPoolExecutor | None) -> None:
    """Make all calls, on the threads of `pool` if there is one."""
    if pool is None or len(calls) == 1:
        for call in calls:
            call()
        return
    for future in [pool.submit(call) for call in calls]:
        future.result()


def _blocks(steps: int, size: int) -> Iterator[tuple[int, int]]:
    """First step and number of steps of each block of `size`."""
    for begin in range(0, steps, size):
        yield begin, min(size, steps - begin)


def _initial_state(population: Population, samples: int) -> State:
    """The state before step 0 as flat arrays (samples, n)."""
    state = population.neuron.initial_state((samples, *population.shape))
    return {name: np.ascontiguousarray(v.reshape(samples, -1)) for name, v in state.items()}


def _arriving(
    population: Population, network: Network, mapping: Mapping, node: dict[str, int]
) -> Iterator[Arriving]:
    """What reaches `population`, in the order in which it is added."""
    axons = dict(zip(map(id, network.projections), mapping.axons, strict=True))
    if accumulator_of(population.neuron) is None:
        for p in network.incoming(population.name):
            for part in by_sign(p):
                yield Arriving(projection=part, node=node[p.source], deliver=delivery(
                    part, axons[id(p)], mapping.slices, population.shape))
        return
    for p in network.arriving(population.name):
        yield Arriving(projection=p, node=node[p.source], deliver=accumulation(
            p, axons[id(p)], mapping.slices, population))
