"""What a Speck2f computes, event by event: the readable definition, and the same as a kernel.

The chip has no time step. An event that reaches a core adds one weight to each neuron in reach:

    v = min(v + w, 32767)
    fires where v >= threshold_high, then v = v - threshold_high, or 0 where it returns to zero
    v = max(v, threshold_low)

A neuron fires once for one addition even above twice its threshold, and stays silent until the next
(data sheet 3.2.4.6.2). A tick of the slow clock adds the leak to every neuron of a core (3.2.4.7).

What is published, and what is chosen here because it is not:

- `v >= threshold_high`: as sinabs simulates (activation/spike_generation.py, MultiSpike); the data
  sheet says "exceeds" (3.2.4.6.3).
- The upper end of 16 bits: nothing is published. It saturates here; `Run.saturated` counts the
  additions that did. A state comes there only where weights exceed the threshold or by the leak.
- Order: "the hardware processes the events in a depth-first manner" (sinabs docs, specksim.md).
  Whether a core goes on with the taps of an event while its output event is handled is not said:
  see `Order`. Where every core has one source, all orders give the same spikes and states, since
  a core's output depends on the sequence of its input alone; only merging cores see a difference.
- The order in which one event visits its targets is not said: see `Taps`.
- A coordinate that pooling puts outside of its destination is dropped, as in sinabs' sum pooling.
- The decimator counts the spikes of its core and passes the last of each N (data sheet table 4
  says "1 spike passed every N").
- A leak is compared like a weight, neuron by neuron, core by core; `leak_fires` turns that off.
- A weight of 0 adds and compares nothing. This and the leak's way are known at second hand only:
  the SANA-FE studio's catalogue, reading Richter et al. 2024 (doi:10.1088/2634-4386/ad2ce3), says
  that a core "skips zero weights at the read" and takes bias and leak "through the same path".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from nmcompile_backends.speck.cores import (
    DECIMATIONS,
    FAN_OUT,
    STATE_MAX,
    Destination,
    SpeckCore,
    SpeckNetwork,
)

from nmcompile.errors import DataValueError
from nmcompile.ir.neurons.base import Array

TICK = -1  # as the channel of an input event: a tick of the slow clock
Address = tuple[int, int, int, int]  # core, channel or feature, y, x


class Order(Enum):
    """When the destinations of a core handle its output events.

    DEPTH_FIRST    at once, ahead of the remaining taps of the event that caused them
    BREADTH_FIRST  behind all events that were sent before (as samna's specksim, layer by layer)
    """

    DEPTH_FIRST = "depth-first"
    BREADTH_FIRST = "breadth-first"


class Taps(Enum):
    """In which order one event visits its targets: the slowest index first."""

    BY_FEATURE = "feature, row, column of the kernel"
    BY_POSITION = "row, column of the kernel, feature"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The choices where nothing is published; the defaults are this model's."""

    order: Order = Order.DEPTH_FIRST
    taps: Taps = Taps.BY_FEATURE
    leak_fires: bool = True
    skips_zeros: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a run gave.

    events     (n, 5) int64: number of the input event that caused it, core, feature, y, x; behind
               the decimator and ahead of pooling, in the order of emission
    states     for each core, its states (features, height, width) int16 after the last event
    additions  (cores,) int64: synaptic operations of each core
    saturated  (cores,) int64: those of them, and of the leak, that met the upper end of 16 bits
    """

    events: Array
    states: tuple[Array, ...]
    additions: Array
    saturated: Array


def run(network: SpeckNetwork, inputs: Array, rules: Rules | None = None) -> Run:
    """Handle `inputs` one after the other, each until the chip is quiet.

    inputs  (n, 3) integers: channel, y, x; a row with channel TICK is a tick of the slow clock
    """
    from nmcompile_backends.speck._arithmetic_kernels import handle

    rules = rules or Rules()
    network.verify()
    given = _checked(network, inputs)
    table, neurons, weights, leaks = _flat(network)
    states = np.concatenate([_initial(core).reshape(-1) for core in network.cores])
    additions, saturated = np.zeros((2, len(network.cores)), np.int64)
    options = (rules.order is Order.BREADTH_FIRST, rules.taps is Taps.BY_POSITION,
               rules.leak_fires, rules.skips_zeros)
    events = handle(given, table, weights, leaks, states, additions, saturated, options)
    parts = np.split(states.astype(np.int16), np.cumsum(neurons)[:-1])
    shaped = (part.reshape(c.out_shape) for part, c in zip(parts, network.cores, strict=True))
    return Run(events=events, states=tuple(shaped), additions=additions, saturated=saturated)


def run_readable(network: SpeckNetwork, inputs: Array, rules: Rules | None = None) -> Run:
    """The definition of `run`, one addition at a time."""
    rules = rules or Rules()
    network.verify()
    machine = _Machine(network, rules)
    for number, (channel, y, x) in enumerate(_checked(network, inputs).tolist()):
        machine.cause = number
        if channel == TICK:
            machine.tick()
        else:
            for destination in network.inputs:
                machine.send(destination, channel, y, x)
        machine.drain()
    return machine.result()


class _Machine:
    """The cores' states and the events on their way."""

    def __init__(self, network: SpeckNetwork, rules: Rules) -> None:
        self.cores, self.rules, self.cause = network.cores, rules, 0
        self.states = [_initial(core) for core in network.cores]
        self.fired = [0] * len(self.cores)
        self.additions, self.saturated = np.zeros((2, len(self.cores)), np.int64)
        self.events: list[tuple[int, ...]] = []
        self.waiting: deque[Address] = deque()

    def send(self, destination: Destination, channel: int, y: int, x: int) -> None:
        """Pool the coordinates; handle the event now or put it in the queue."""
        index, pooling = destination
        y, x = y // pooling, x // pooling
        _, height, width = self.cores[index].in_shape
        if y >= height or x >= width:
            return
        if self.rules.order is Order.BREADTH_FIRST:
            self.waiting.append((index, channel, y, x))
        else:
            self.receive(index, channel, y, x)

    def receive(self, index: int, channel: int, y: int, x: int) -> None:
        """Add one weight to each neuron that the event reaches."""
        core = self.cores[index]
        for feature, row, column in _taps(core, self.rules.taps):
            place = _target(core, y - row, x - column)
            weight = int(core.weight[feature, channel, row, column])
            if place is not None and (weight != 0 or not self.rules.skips_zeros):
                self.additions[index] += 1
                self.add(index, (feature, *place), weight, fires=True)

    def tick(self) -> None:
        """Add the leak to every neuron of the cores that have one."""
        for index, core in enumerate(self.cores):
            if core.leak is not None:
                for neuron in np.ndindex(core.out_shape):
                    self.add(index, neuron, int(core.leak[neuron[0]]), self.rules.leak_fires)
        self.drain()

    def add(self, index: int, neuron: tuple[int, ...], value: int, fires: bool) -> None:
        """One addition, comparison and reset; what fires is sent on."""
        core = self.cores[index]
        v = int(self.states[index][neuron]) + value
        self.saturated[index] += v > STATE_MAX
        v = min(v, STATE_MAX)
        spike = fires and v >= core.threshold_high
        if spike:
            v = 0 if core.return_to_zero else v - core.threshold_high
        self.states[index][neuron] = max(v, core.threshold_low)
        if spike:
            self.emit(index, neuron)

    def emit(self, index: int, neuron: tuple[int, ...]) -> None:
        """Pass a spike through the decimator to the destinations of its core."""
        core = self.cores[index]
        self.fired[index] += 1
        if core.decimator is not None and self.fired[index] % DECIMATIONS[core.decimator]:
            return
        self.events.append((self.cause, index, *neuron))
        for destination in core.destinations:
            self.send(destination, *neuron)

    def drain(self) -> None:
        """Handle what waits until nothing does."""
        while self.waiting:
            self.receive(*self.waiting.popleft())

    def result(self) -> Run:
        """What the run gave."""
        events = np.array(self.events, np.int64).reshape(-1, 5)
        states = tuple(state.astype(np.int16) for state in self.states)
        return Run(events=events, states=states, additions=self.additions,
                   saturated=self.saturated)


def _taps(core: SpeckCore, taps: Taps) -> Iterator[tuple[int, int, int]]:
    features, _, size, _ = core.weight.shape
    if taps is Taps.BY_FEATURE:
        yield from np.ndindex(features, size, size)
    else:
        yield from ((f, row, column) for row, column, f in np.ndindex(size, size, features))


def _target(core: SpeckCore, y: int, x: int) -> tuple[int, int] | None:
    """Where an input at (y, x) behind the tap's offset arrives; None where no neuron is."""
    _, height, width = core.out_shape
    row, rest_y = divmod(y + core.padding[0], core.stride[0])
    column, rest_x = divmod(x + core.padding[1], core.stride[1])
    inside = 0 <= row < height and 0 <= column < width
    return (row, column) if inside and rest_y == rest_x == 0 else None


def _initial(core: SpeckCore) -> Array:
    return np.broadcast_to(core.initial, core.out_shape).astype(np.int32)


def _checked(network: SpeckNetwork, inputs: Array) -> Array:
    """`inputs` as int64, or NmcError naming the first that no core has a place for."""
    given = np.asarray(inputs, np.int64).reshape(-1, 3)
    for core, pooling in network.inputs:
        channels, height, width = network.cores[core].in_shape
        limit = np.array([channels, height * pooling, width * pooling])
        bad = np.any((given < 0) | (given >= limit), axis=1) & (given[:, 0] != TICK)
        if bad.any():
            where = int(bad.argmax())
            raise DataValueError(f"input event {where}", f"(channel, y, x) is "
                                 f"{tuple(given[where].tolist())}, core {core} takes less than "
                                 f"{tuple(limit.tolist())}")
    return given


def _flat(network: SpeckNetwork) -> tuple[Array, list[int], Array, Array]:
    """Registers (cores + 1, fields), neurons of each core, weights, leaks; see the kernel."""
    rows, weight_at, state_at, leak_at = [], 0, 0, 0
    for core in network.cores:
        features, channels, size, _ = core.weight.shape
        every = 0 if core.decimator is None else DECIMATIONS[core.decimator]
        rows.append([
            features, channels, size, *core.out_shape[1:],
            *(stride.bit_length() - 1 for stride in core.stride), *core.padding,
            core.threshold_high, core.threshold_low, core.return_to_zero, every,
            core.leak is not None, weight_at, state_at, leak_at, *_ways(network, core.destinations),
        ])
        weight_at, state_at = weight_at + core.weight.size, state_at + core.n_neurons
        leak_at += features
    rows.append([0] * 17 + _ways(network, network.inputs))
    weights = np.concatenate([c.weight.reshape(-1).astype(np.int8) for c in network.cores])
    leaks = np.concatenate([
        np.zeros(c.out_shape[0], np.int16) if c.leak is None else c.leak.astype(np.int16)
        for c in network.cores])
    return np.array(rows, np.int64), [c.n_neurons for c in network.cores], weights, leaks


def _ways(network: SpeckNetwork, destinations: tuple[Destination, ...]) -> list[int]:
    """For both destinations: core, bits of the address shift, height and width of what it takes."""
    ways: list[int] = []
    for core, pooling in destinations:
        ways += [core, pooling.bit_length() - 1, *network.cores[core].in_shape[1:]]
    return ways + [-1, 0, 0, 0] * (FAN_OUT - len(destinations))
