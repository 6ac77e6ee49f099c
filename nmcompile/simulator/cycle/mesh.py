"""The routers, ports and cores that the packets of a program use, as the kernels take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.faults import Detours
from nmcompile.simulator.cycle._calendar_kernels import RING, clear
from nmcompile.simulator.cycle._fields import (
    AT,
    BEHIND,
    CREDIT,
    DEPTH,
    ENTRY,
    EXIT,
    HOP,
    INTERVAL,
    LINKS,
    N_CORE,
    N_EVENT,
    N_PLACE,
    N_PORT,
    PACE,
    QUEUE,
    ROUTER,
    SHIFT,
)
from nmcompile.simulator.events import picoseconds
from nmcompile.target import Target
from nmcompile.target.topology import INPUT_TILE, board_height, board_width, tile_position

BUCKET_BITS = 10  # of a key, in a bucket of the calendar: 512 ps
WAYS = ((1, 0), (-1, 0), (0, -1), (0, 1))  # the links, in the order of `target.topology`


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """The smallest rectangle of tiles around those in use.

    setup   (N_SETUP,) and the other tables as `_fields.py` has them
    router  (routers, 2) int64 column and row
    via     (n,) int64 routers that ways go through; each way ends with -1, and the first is empty
    ways    pairs of routers, first * routers + last, rising, and where in `via` their ways begin
    """

    setup: Array
    router: Array
    via: Array
    ways: tuple[Array, Array]
    port: Array
    core: Array

    @property
    def rest(self) -> int:
        """Picoseconds after the last arrival until nothing that happened before matters."""
        return int(self.port[:, INTERVAL].max() + self.setup[PACE] + self.setup[CREDIT])


def mesh_of(program: Program, cores: Array, detours: Detours) -> Mesh:
    """The mesh around `cores`, (n,) global numbers, and the tile where spikes enter."""
    target, network, width = program.target, program.target.network, board_width(program.target)
    assert network is not None
    place = tile_position(target, cores).astype(np.int64)
    between = np.stack(np.divmod(detours.via.astype(np.int64), width), axis=1)[:, ::-1]
    every = np.concatenate([place, [INPUT_TILE], between])
    corner, size = every.min(axis=0), np.ptp(every, axis=0) + 1
    numbers = np.arange(size.prod())
    router = np.stack([numbers % size[0], numbers // size[0]], axis=1)
    per_tile = target.board.cores_per_tile.value
    ports = LINKS + per_tile + 1
    in_rows = np.array([1, size[0]])
    port = _ports(target, router, corner, ports)
    behind = np.append((place - corner) @ in_rows * ports + LINKS + cores % per_tile,
                       (INPUT_TILE - corner) @ in_rows * ports + ports - 1)
    core = np.zeros((len(cores) + 1, N_CORE), np.int64)
    core[:, ENTRY] = core[:, EXIT] = behind
    port[behind, AT] = np.arange(len(cores) + 1)
    setup = np.array([
        ports, network.buffer.value, network.core_buffer.value,
        picoseconds(network.interval.value, 1), picoseconds(network.credit.value, 1), BUCKET_BITS,
        0])
    count = np.diff(detours.start)
    via = np.full(1 + len(between) + len(count), -1)
    via[1 + np.arange(len(between)) + np.repeat(np.arange(len(count)), count)] = (
        (between - corner) @ in_rows)
    return Mesh(setup=setup, router=router, via=via, port=port, core=core,
                ways=(_pairs(detours, target, corner, size), 1 + detours.start[:-1]
                      + np.arange(len(count))))


def _pairs(detours: Detours, target: Target, corner: Array, size: Array) -> Array:
    """The pairs of tiles of `detours` as pairs of routers."""
    width = board_width(target)
    ends = np.stack(np.divmod(detours.pair, width * board_height(target)))
    first, last = (np.stack([end % width, end // width], axis=1) - corner for end in ends)
    return np.asarray((first @ [1, size[0]]) * size.prod() + last @ [1, size[0]])


def _ports(target: Target, router: Array, corner: Array, ports: int) -> Array:
    """The ports of routers, whose first is on the tile `corner`; their cores are yet to come."""
    network, cost, chip = target.network, target.time_s, target.board.mesh_width.value
    assert network is not None
    port = np.zeros((len(router), ports, N_PORT), np.int64)
    port[:, :, ROUTER] = np.arange(len(router))[:, None]
    port[:, :, [BEHIND, AT]] = -1
    port[:, :, INTERVAL] = picoseconds(network.interval.value, 1)
    port[:, :, HOP] = picoseconds(network.to_core.value)
    for link, way in enumerate(WAYS):
        on = router + way
        inside = np.all((on >= 0) & (on <= router[-1]), axis=1)
        number = on @ [1, router[-1, 0] + 1]
        port[:, link, BEHIND] = np.where(inside, number * ports + (link ^ 1), -1)
        chips = (np.stack([on[:, 0], router[:, 0]]) + corner[0]) // chip
        between = chips[0] != chips[1]
        hop = cost.hop_x if way[0] else cost.hop_y
        port[:, link, HOP] = np.where(
            between, picoseconds(cost.hop_chip.value, 1), picoseconds(hop.value, 1))
        port[between, link, INTERVAL] = picoseconds(network.interval_chip.value, 1)
    return port.reshape(-1, N_PORT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Room:
    """Tables of threads, each with a first axis of them."""

    port: Array
    place: Array
    core: Array
    queue: Array
    event: Array
    ring: Array


def room_for(mesh: Mesh, threads: int) -> Room:
    """What `threads` threads move packets in."""
    ports, cores = len(mesh.port), len(mesh.core)
    ring = np.zeros(RING, np.int64)
    clear(ring, mesh.setup[SHIFT])
    return Room(
        port=np.tile(mesh.port, (threads, 1, 1)), core=np.tile(mesh.core, (threads, 1, 1)),
        place=np.zeros((threads, ports * mesh.setup[DEPTH], N_PLACE), np.int64),
        queue=np.zeros((threads, cores * mesh.setup[QUEUE]), np.int64),
        event=np.zeros((threads, 2 * ports, N_EVENT), np.int64), ring=np.tile(ring, (threads, 1)))
