"""A program's cores as flat arrays: neurons with their registers, and rows of synapses."""

from __future__ import annotations

from typing import cast

import numpy as np
from nmcompile_backends.spinnaker import core_arrays as arrays
from nmcompile_backends.spinnaker.arithmetic import (
    ACCUMS,
    FRACTIONS,
    OF_A_STEP,
    SpinnakerNeuron,
)
from nmcompile_backends.spinnaker.ring import slots_of
from nmcompile_backends.spinnaker.rows import matrix_of
from nmcompile_backends.spinnaker.tree import PER_S, tree_of

from nmcompile.errors import ChipNeuronError
from nmcompile.ir import Population, Projection
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.fan import Fan
from nmcompile.mapping.multicast.program import Sent
from nmcompile.target.schema import TimerLoop

BEGINS = ("exc_init", "inh_init", "v_init")


def machine_of(
    program: Program, loop: TimerLoop, tick_s: float, fan: Fan, sent: Sent
) -> arrays.Machine:
    """What all samples of a program share.

    Raises NmcError where a population's refractory timers do not hold it until its first input.
    """
    network, slots = program.network, slots_of(program)
    cores, sender = _cores(program, slots)
    start, entry, weight = _rows(program, cores)
    return arrays.Machine(
        costs=_costs(program, loop, tick_s), colours=np.int64(loop.colours.value), cores=cores,
        sender=sender, accums=_registers(program, ACCUMS[:OF_A_STEP]),
        fractions=_registers(program, FRACTIONS),
        nothing=np.zeros(2 * int(cores[:, arrays.SIZE].max()), np.int32),
        axon_start=fan.start, axon_core=fan.slice, axon_synapses=fan.synapses.astype(np.int64),
        axon_delay=fan.delay.astype(np.int64) & (slots[fan.slice] - 1),
        row_start=start, row_entry=entry, row_weight=weight,
        block=np.concatenate([sent.senders.of[node.name] for node in network.nodes]).astype(
            np.int64), **vars(tree_of(program, sent)))


def first_states(program: Program) -> tuple[Array, ...]:
    """exc, inh, v and refractory timers at each position, (neurons,) int32, ahead of all ticks."""
    columns: list[list[Array]] = [[] for _ in range(4)]
    for population, members in _members(program):
        neuron = cast(SpinnakerNeuron, population.neuron)
        begin = [np.broadcast_to(getattr(neuron, name), population.shape).reshape(-1)[members]
                 for name in BEGINS]
        for column, values in zip(
                columns, [*begin, np.full(len(members), neuron.early)], strict=True):
            column.append(values)
    return tuple(np.concatenate(column).astype(np.int32) for column in columns)


def _members(program: Program) -> list[tuple[Population, Array]]:
    """The population of each slice, and its neurons in the core's order."""
    slices, populations = program.mapping.slices, program.network.populations
    return [(populations[number], slices.members(populations[number].shape, place))
            for place, number in enumerate(slices.population.tolist())]


def _begins(program: Program) -> dict[str, int]:
    """The number of the first sender of each input and population."""
    nodes = program.network.nodes
    ends = np.cumsum([node.size for node in nodes]).tolist()
    return {node.name: end - node.size for node, end in zip(nodes, ends, strict=True)}


def _costs(program: Program, loop: TimerLoop, tick_s: float) -> Array:
    cost = program.target.times
    seconds = (cost.neuron_update.value, cost.spike_out.value, loop.timer.value,
               loop.receive.value, loop.start.value, *loop.lookup.value, loop.transfer.value,
               loop.row.value, loop.skipped.value, loop.fetch.value, cost.synaptic_event.value,
               loop.link.value, tick_s)
    return np.rint(np.array(seconds) * PER_S).astype(np.int64)


def _cores(program: Program, slots: Array) -> tuple[Array, Array]:
    """The description of each core, and the number of the sender at each position."""
    sizes = program.mapping.slices.sizes().astype(np.int64)
    begins = _begins(program)
    cores = np.zeros((len(sizes), arrays.DELTA + 1), np.int64)
    cores[:, arrays.SIZE], cores[:, arrays.SLOTS] = sizes, slots
    cores[:, arrays.FIRST] = np.cumsum(sizes) - sizes
    entries = 2 * sizes * slots
    cores[:, arrays.RING] = np.cumsum(entries) - entries
    sender = []
    for core, (population, members) in zip(cores, _members(program), strict=True):
        neuron = cast(SpinnakerNeuron, population.neuron)
        if neuron.early != population.start:
            raise ChipNeuronError(
                population.name, f"its refractory timers hold it for {neuron.early} "
                f"steps, its first input is {population.start} steps away",
                "Compile the model again.")
        core[arrays.HEARS :] = (population.start, neuron.shift_exc, neuron.shift_inh,
                                 neuron.conductance, neuron.delta)
        sender.append(begins[population.name] + members)
    return cores, np.concatenate(sender).astype(np.int64)


def _registers(program: Program, names: tuple[str, ...]) -> Array:
    """Registers of all neurons, (names, size) core by core, in one flat array of int64."""
    parts = [np.stack([np.broadcast_to(getattr(population.neuron, name), population.shape)
                       .reshape(-1)[members] for name in names]).reshape(-1)
             for population, members in _members(program)]
    return np.concatenate(parts).astype(np.int64)


def _rows(program: Program, cores: Array) -> tuple[Array, Array, Array]:
    """Where the row of each axon begins, numbered as in `Fan`, and its synapses.

    These are places in a slot of the core's ring buffers and magnitudes, uint16 each.
    """
    network, slices = program.network, program.mapping.slices
    place = {}
    for number, population in enumerate(network.populations):
        place[population.name] = np.empty(population.size, np.int64)
        for part in np.flatnonzero(slices.population == number).tolist():
            members = slices.members(population.shape, part)
            place[population.name][members] = np.arange(len(members))
    owner = {p.name: slice_of_neurons(network, slices, i)
             for i, p in enumerate(network.populations)}
    begins = _begins(program)
    lines, ends, lengths = [], [], []
    entries, weights = [np.zeros(0, np.uint16)], [np.zeros(0, np.uint16)]
    for projection, axons in zip(network.projections, program.mapping.axons, strict=True):
        line = np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start))
        length, entry, weight = _rows_through(
            projection, axons, line, owner[projection.target], place[projection.target], cores)
        lines.append(line + begins[projection.source])
        ends.append(axons.slice)
        lengths.append(length)
        entries.append(entry)
        weights.append(weight)
    order = np.lexsort((np.concatenate(ends), np.concatenate(lines)))
    length = np.concatenate(lengths)
    first, length = (np.cumsum(length) - length)[order], length[order]
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    chosen = np.repeat(first - start[:-1], length) + np.arange(start[-1])
    return start, np.concatenate(entries)[chosen], np.concatenate(weights)[chosen]


def _rows_through(
    projection: Projection, axons: Axons, line: Array, owner: Array, place: Array, cores: Array
) -> tuple[Array, Array, Array]:
    """The number of synapses of each axon of a projection, and these, axon by axon."""
    matrix = matrix_of(projection.map).tocsr()
    source = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    core = owner[matrix.indices].astype(np.int64)
    entry = (matrix.data < 0) * cores[core, arrays.SIZE] + place[matrix.indices]
    key, axon = source * len(cores) + core, line * len(cores) + axons.slice
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], axon)
    length = np.searchsorted(key[order], axon, "right") - first
    begin = np.cumsum(length) - length
    chosen = order[np.repeat(first - begin, length) + np.arange(length.sum())]
    return (length, entry[chosen].astype(np.uint16),
            np.abs(matrix.data[chosen]).astype(np.uint16))
