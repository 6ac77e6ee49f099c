"""What each spike of a program on a mesh of cores causes, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import Costs, Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.faults import Detours
from nmcompile.simulator._events_kernels import (
    BUSY,
    EVENT,
    EVENTS,
    FIRED,
    HOPS_CHIP,
    HOPS_X,
    IN,
    INCOMING,
    N_COST,
    OUT,
    OUTGOING,
    SERIAL,
    SPIKE,
    UPDATE,
    count_up,
)
from nmcompile.simulator.traffic import ways_of
from nmcompile.target.topology import INPUT_TILE, board_height, board_width, tile_position

PICO = 1e12

Axon = tuple[Array, Array, Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Slices, their cores, and the axons of all lines and neurons in the network's order.

    cores     (c,) int32 global numbers of the cores in use, rising
    on_core   (slices + 1,) int32 place of each slice's core among `cores`; the inputs' is c
    tile      (slices + 1, 3) int32 column, row and chip; the inputs' is where spikes enter
    home      (n,) int32 slice of each line and neuron; lines have the number of slices
    place     (n,) int32 compartments of its core up to and including the neuron's, in the order of
              the network's neurons
    updates   (slices + 1,) int32 compartments; the inputs have none
    axon      (n + 1,) int64 where those of each begin; (a,) int32 slice, (a,) int32 synapses
    detours   ways around dead links
    cost      (N_COST,) int64 picoseconds of each kind of event; and SERIAL, 1 where a core does not
              send and receive at once
    """

    cores: Array
    on_core: Array
    tile: Array
    home: Array
    place: Array
    updates: Array
    axon: Axon
    detours: Detours
    cost: Array


def events_of(program: Program) -> Events:
    """The events of `program`."""
    network, slices, target = program.network, program.mapping.slices, program.target
    cores, on_core = np.unique(slices.core, return_inverse=True)
    on_core = np.append(on_core, len(cores)).astype(np.int32)
    tile = np.concatenate([tile_position(target, slices.core), [INPUT_TILE]])
    chip = tile[:, :1] // target.board.mesh_width.value
    lines = sum(port.size for port in network.inputs)
    home = np.concatenate([np.full(lines, len(slices), np.int32)] + [
        slice_of_neurons(network, slices, i) for i in range(len(network.populations))])
    each = np.array([compartments_of(p.neuron) for p in network.populations], np.int32)
    compartments = np.append(each[slices.population], 0)
    place = np.empty(len(home), np.int32)
    sizes = np.zeros(len(cores) + 1, np.int64)
    count_up(home, on_core, compartments, sizes, place)
    return Events(
        cores=cores, on_core=on_core, tile=np.hstack([tile, chip]).astype(np.int32), home=home,
        place=place, updates=np.append(slices.sizes(), 0) * compartments,
        axon=joined_axons(program), detours=ways_of(program), cost=_cost(program))


def joined_axons(program: Program) -> Axon:
    """The axons of all projections, by source, and of one source in the network's order."""
    network = program.network
    starts, parts = [np.zeros(1, np.int64)], []
    for node in network.nodes:
        mine = [axons for p, axons in zip(network.projections, program.mapping.axons, strict=True)
                if p.source == node.name]
        counts = [np.diff(axons.start) for axons in mine]
        starts.append(sum(counts, np.zeros(node.size, np.int64)))
        if len(mine) == 1:
            parts.append((mine[0].slice, mine[0].synapses))
        elif mine:
            source = np.concatenate([np.repeat(np.arange(node.size), n) for n in counts])
            order = np.argsort(source, kind="stable")
            parts.append((np.concatenate([axons.slice for axons in mine])[order],
                          np.concatenate([axons.synapses for axons in mine])[order]))
    none = [(np.zeros(0, np.int32), np.zeros(0, np.int32))]
    ends, synapses = (np.concatenate(part) for part in zip(*(none + parts), strict=True))
    return np.cumsum(np.concatenate(starts)), ends, synapses


def _cost(program: Program) -> Array:
    time = program.target.times
    cost = np.zeros(N_COST, np.int64)
    for column, constant in ((UPDATE, time.neuron_update), (SPIKE, time.spike_out),
                             (OUT, time.packet_out), (IN, time.packet_in),
                             (EVENT, time.synaptic_event)):
        cost[column] = picoseconds(constant.value)
    cost[SERIAL] = time.sequential is not None and time.sequential.value
    return cost


def picoseconds(seconds: float, least: int = 0) -> int:
    """`seconds` in whole picoseconds, `least` of them at least."""
    return max(least, round(seconds * PICO))


def board_of(program: Program) -> Array:
    """What kernels take of the board: column and row of a corner, its tiles, columns, a chip's."""
    target, width = program.target, board_width(program.target)
    return np.array([0, 0, width * board_height(target), width, target.board.mesh_width.value])


def hop_times(program: Program) -> Array:
    """(3,) picoseconds of a hop along x, along y, between chips."""
    cost = program.target.times
    return np.array([picoseconds(c.value) for c in (cost.hop_x, cost.hop_y, cost.hop_chip)])


def barrier_ps(program: Program, cores: Array) -> int:
    """Picoseconds of the barrier where `cores` are in use, by their tiles."""
    tiles = len(np.unique(tile_position(program.target, cores), axis=0))
    points = np.array(program.target.times.barrier.value)
    return picoseconds(np.interp(tiles, points[:, 0], points[:, 1]))


def costs_of(sums: Array, step_ps: Array) -> Costs:
    """What a block takes; `sums` are (threads, slices + 1, N_SUMS), `step_ps` of whole steps."""
    total = sums.sum(axis=0)
    return Costs(
        step_s=step_ps / PICO, spikes=total[:, FIRED], packets_out=total[:, OUTGOING],
        hops=total[:, HOPS_X : HOPS_CHIP + 1], events=total[:-1, EVENTS],
        packets_in=total[:-1, INCOMING], busy_s=total[:-1, BUSY] / PICO)
