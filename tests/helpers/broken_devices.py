"""Devices with one fault each: the simulator's kernels on a program that was tampered with.

Nothing of `nmcompile.validation` is used. A fault is what a chip would have: another word in a
memory, a spike that is gone, a table with two entries exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from nmcompile.device import Recording
from nmcompile.errors import NmcError
from nmcompile.ir import Input
from nmcompile.ir.accumulate import by_sign
from nmcompile.ir.maps import Dense
from nmcompile.mapping import Program
from nmcompile.passes.route import route
from nmcompile.simulator.engine import Engine


@dataclass(frozen=True, kw_only=True, eq=False)
class Fault:
    """One fault and where `validate` should find it.

    rule     what it should be called
    place    what it should name: population, projection, neuron, source
    change   how a program becomes the broken one
    disturb  what is done to what a population sends
    swap     population and two neurons whose recordings are exchanged too
    ghost    a source's spike that never arrives: projection number, source, sample, step sent
    """

    rule: str
    place: dict
    program: Program
    disturb: object = None
    swap: tuple | None = None
    ghost: dict = field(default_factory=dict)


class BrokenDevice:
    """A device that runs the program of a fault in place of what is loaded."""

    name = "broken"

    def __init__(self, fault: Fault, states: bool = True) -> None:
        self.fault, self.states = fault, states

    def open(self, place):
        pass

    def load(self, program, config):
        self._compiled = program

    def readable(self):
        return {p.name: ("spikes", *(p.neuron.state_names if self.states else ()))
                for p in self._compiled.network.populations}

    def run(self, inputs, wanted, ran):
        records = recorded(self.fault, dict(inputs))
        samples, steps = next(iter(inputs.values())).shape[:2]
        ran(samples * steps)
        return Recording(variables={name: {v: records[name][v] for v in variables}
                                    for name, variables in wanted.items()})

    def close(self):
        pass


class _Log:
    """Keeps everything, in the network's own time."""

    def __init__(self, program, samples, steps):
        self.lags, self.steps = program.network.lags, steps
        self.records = {
            p.name: {"spikes": np.zeros((samples, steps, p.size), np.int32),
                     **{name: np.zeros((samples, steps, p.size), v.dtype)
                        for name, v in p.neuron.initial_state((1, *p.shape)).items()
                        if name in p.neuron.state_names}}
            for p in program.network.populations}

    def watches(self, population):
        return True

    def add(self, population, step, sample, spikes, state):
        own = step - self.lags[population]
        assert len(spikes) == 1 or own + len(spikes) <= 0
        if 0 <= own < self.steps:
            rows = slice(sample, sample + spikes.shape[1])
            record = self.records[population]
            record["spikes"][rows, own] = spikes[0]
            for name in set(record) - {"spikes"}:
                record[name][rows, own] = state[name]


def recorded(fault, inputs):
    """What the broken device does: population -> variable -> (samples, steps, *shape)."""
    program = fault.program
    samples, steps = next(iter(inputs.values())).shape[:2]
    sent = dict(inputs)
    for name, (sample, step, payload) in fault.ghost.items():
        sent[name] = np.zeros((samples, steps, 1), np.int32)
        sent[name][sample, step, 0] = payload
    log = _Log(program, samples, steps)
    Engine(program).run(sent, steps + max(program.network.lags.values()), log,
                        lambda frames: True, fault.disturb)
    if fault.swap:
        name, one, other, states = fault.swap
        for variable, values in log.records[name].items():
            if states and variable != "spikes":  # spikes were exchanged as they were sent
                values[:, :, [one, other]] = values[:, :, [other, one]]
    shapes = {p.name: p.shape for p in program.network.populations}
    return {name: {k: v.reshape(samples, steps, *shapes[name]) for k, v in record.items()}
            for name, record in log.records.items()}


def with_network(program, network):
    return replace(program, network=network)


def changed_projection(program, number, **fields):
    network = program.network
    projections = list(network.projections)
    projections[number] = replace(projections[number], **fields)
    return with_network(program, replace(network, projections=tuple(projections)))


def changed_neuron(program, name, **fields):
    network = program.network
    populations = tuple(
        replace(p, neuron=replace(p.neuron, **fields)) if p.name == name else p
        for p in network.populations)
    return with_network(program, replace(network, populations=populations))


def one_weight(program, rng, levels):
    """Another value in one weight."""
    number = int(rng.integers(len(program.network.projections)))
    projection = program.network.projections[number]
    weights = projection.map.weights().copy()
    which = int(rng.integers(len(weights)))
    low, high, step = levels(projection.format)
    if projection.split and weights[which] != 0:
        low, high = (0, high) if weights[which] > 0 else (low, 0)
    weights = weights.astype(np.int32)
    while True:
        value = int(rng.choice(np.arange(low, high + 1, step)))
        if value != weights[which]:
            break
    weights[which] = value
    place = {"population": projection.target, "projection": projection.name, "weight": which,
             "found": value}
    return Fault(rule="weight", place=place, program=changed_projection(
        program, number, map=projection.map.with_weights(weights)))


def unsent_spike(program, rng, clean):
    """A spike that does not leave its neuron."""
    names = [p.name for p in program.network.populations if clean[p.name]["spikes"].any()]
    name = str(rng.choice(names))
    spikes = clean[name]["spikes"]
    flat = spikes.reshape(*spikes.shape[:2], -1)
    sample, step, neuron = (int(x) for x in rng.choice(np.argwhere(flat)))
    chip_step = step + program.network.lags[name]

    def disturb(population, first, sample_first, payload):
        at = chip_step - first
        if population == name and 0 <= at < len(payload) and (
                0 <= sample - sample_first < payload.shape[1]):
            payload[at, sample - sample_first, neuron] = 0

    place = {"population": name, "neuron": neuron, "sample": sample, "step": step}
    return Fault(rule="lost spike", place=place, program=program, disturb=disturb)


def lost_spike(program, rng, clean, inputs):
    """A spike that leaves, but never arrives through one projection: another cancels it."""
    network = program.network
    choices = [(i, p) for i, p in enumerate(network.projections) if p.format.exponent >= 0]
    _, projection = choices[int(rng.integers(len(choices)))]
    source = {**inputs, **{k: v["spikes"] for k, v in clean.items()}}[projection.source]
    flat = source.reshape(*source.shape[:2], -1)
    flat = flat if projection.sources is None else flat[:, :, slice(*projection.sources)]
    sample, step, line = (int(x) for x in rng.choice(np.argwhere(flat)))
    payload = int(flat[sample, step, line])
    size = flat.shape[2]
    one = np.zeros((1, size), np.int64)
    one[0, line] = 1
    parts, sent, ghosts = [], {}, []
    for i, part in enumerate(by_sign(projection)):
        row = np.rint(part.map.apply(one.astype(np.float64))).astype(np.int64)[0]
        port = Input(name=f"ghost{i}", shape=(1,), format=network.inputs[0].format)
        ghosts.append(port)
        parts.append(replace(
            part, source=port.name, sources=None, delay=projection.delay + network.lags[
                projection.source],
            map=Dense(weight=-row[:, None].astype(np.int32), in_shape=(1,),
                      out_shape=projection.map.out_shape)))
        sent[port.name] = (sample, step, payload)
    broken = replace(network, inputs=(*network.inputs, *ghosts),
                     projections=(*network.projections, *parts))
    mapping = replace(program.mapping, axons=route(broken, program.mapping.slices))
    place = {"population": projection.target, "projection": projection.name,
             "source": line + (projection.sources or (0, 0))[0], "sample": sample}
    return Fault(rule="lost spike", place=place, ghost=sent,
                 program=replace(program, network=broken, mapping=mapping))


def register_off_by_one(program, rng, rule, registers):
    """One register of a population's neurons is one more or less."""
    populations = [p for p in program.network.populations
                   if any(hasattr(p.neuron, name) for name in registers)]
    population = populations[int(rng.integers(len(populations)))]
    name = str(rng.choice([n for n in registers if hasattr(population.neuron, n)]))
    value = getattr(population.neuron, name)
    if not isinstance(value, bool) and not _holds(population, name, (value - 1, value + 1)):
        return register_off_by_one(program, rng, rule, registers)
    if isinstance(value, bool):
        place = {"population": population.name, "register": name, "value": str(not value)}
        return Fault(rule=rule, place=place,
                     program=changed_neuron(program, population.name, **{name: not value}))
    by = int(rng.choice([-1, 1]))
    off = (np.nextafter(value, np.float32(by * np.inf)) if value.dtype.kind == "f"
           else (value + by).astype(value.dtype))
    if rng.random() < 0.3:  # of one neuron only
        shape = population.shape if value.ndim <= len(population.shape) else (
            value.shape[0], *population.shape)
        each, base = np.broadcast_to(off, shape), np.broadcast_to(value, shape)
        mine = np.zeros(population.size, bool)
        mine[int(rng.integers(population.size))] = True
        off = np.where(mine.reshape(population.shape), each, base).astype(value.dtype)
    place = {"population": population.name, "register": name, "offset": by}
    return Fault(rule=rule, place=place,
                 program=changed_neuron(program, population.name, **{name: off}))


def _holds(population, name, values):
    """Whether a register holds these values."""
    try:
        for value in values:
            replace(population.neuron, **{name: np.asarray(value)}).verify(
                population.name, population.shape)
    except NmcError:
        return False
    return True


def delay_off_by_one(program, rng):
    """A projection takes a step more, or less where the chip's order of work allows it."""
    network = program.network
    number = int(rng.integers(len(network.projections)))
    projection = network.projections[number]
    by = int(rng.choice([-1, 1])) if projection.delay >= 2 else 1
    return Fault(rule="delay", place={"population": projection.target,
                                      "projection": projection.name,
                                      "delay": projection.delay + by},
                 program=changed_projection(program, number, delay=projection.delay + by))


def swapped_neurons(program, rng):
    """Two neurons of a population stand in each other's place, or what they send does."""
    populations = [p for p in program.network.populations if p.size > 1]
    population = populations[int(rng.integers(len(populations)))]
    one, other = sorted(int(x) for x in rng.choice(population.size, 2, replace=False))
    name = population.name

    def disturb(sender, first, sample, payload):
        if sender == name:
            payload[:, :, [one, other]] = payload[:, :, [other, one]]

    return Fault(rule="swapped neurons", place={"population": name, "pair": {one, other}},
                 program=program, disturb=disturb,
                 swap=(name, one, other, bool(rng.random() < 0.5)))
