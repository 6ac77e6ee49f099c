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
    BACK,
    BASE,
    BEHIND,
    BIT,
    CREDIT,
    DEPTH,
    END,
    ENTRY,
    EXIT,
    FIRST,
    HIGH,
    HOP,
    INTERVAL,
    LINKS,
    LOW,
    N_CORE,
    N_PLACE,
    N_PORT,
    NUMBER,
    ORIGIN,
    PACE,
    QUEUE,
    TAKES,
    X,
    Y,
)
from nmcompile.simulator.events import picoseconds
from nmcompile.target import Target
from nmcompile.target.topology import INPUT_TILE, board_width, tile_position

ROOM = 1 << 31  # bytes of the tables of all threads, as long as it is not one
BUCKET_BITS = 10  # low bits of keys in one bucket of the calendar: 512 ps
WAYS = ((1, 0), (-1, 0), (0, -1), (0, 1))  # the links, in the order of `target.topology`


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """The smallest rectangle of tiles around those in use; tables as `_fields.py` has them.

    ways    pairs of tiles, first * tiles of the board + last, rising, and the rows of `via` that
            their ways begin with
    """

    setup: Array
    via: Array
    ways: tuple[Array, Array]
    port: Array
    core: Array

    @property
    def rest(self) -> int:
        """Picoseconds after the last arrival until nothing that happened before matters."""
        interval = self.port.reshape(-1, N_PORT)[:, INTERVAL].max()
        return int(interval + self.setup[PACE] + self.setup[CREDIT])


@dataclass(frozen=True, kw_only=True, eq=False)
class Room:
    """Tables of threads, each with a first axis of them; clock is when their next frames begin."""

    clock: Array
    port: Array
    place: Array
    core: Array
    queue: Array
    ring: Array


def mesh_of(program: Program, cores: Array, detours: Detours) -> Mesh:
    """The mesh around `cores`, (n,) global numbers, and the tile where spikes enter."""
    target, network, width = program.target, program.target.network, board_width(program.target)
    assert network is not None
    tile = np.append(tile_position(target, cores), [INPUT_TILE], axis=0).astype(np.int64)
    between = np.stack([detours.via % width, detours.via // width], axis=1).astype(np.int64)
    every = np.concatenate([tile, between])
    corner, size = every.min(axis=0), np.ptp(every, axis=0) + 1
    per_tile = target.board.cores_per_tile.value
    ports = LINKS + per_tile + 1
    port = _ports(target, corner, size, ports)
    behind = (tile - corner) @ [1, size[0]] * ports + LINKS + np.append(cores % per_tile, per_tile)
    core = np.zeros((len(tile), N_CORE), np.int64)
    core[:, NUMBER] = np.arange(len(core))
    core[:, ENTRY] = core[:, EXIT] = behind * N_PORT
    core[:, TAKES] = core[:, LOW] = core[:, NUMBER] * network.core_buffer.value
    core[:, HIGH] = core[:, LOW] + network.core_buffer.value
    port[behind, AT] = core[:, NUMBER] * N_CORE
    setup = np.array([
        network.buffer.value, network.core_buffer.value, picoseconds(network.interval.value, 1),
        picoseconds(network.credit.value, 1), BUCKET_BITS, 0])
    count = np.diff(detours.start)
    via = np.full((1 + len(between) + len(count), 2), -1)
    via[1 + np.arange(len(between)) + np.repeat(np.arange(len(count)), count)] = between - corner
    return Mesh(setup=setup, via=via.reshape(-1), port=port.reshape(-1), core=core.reshape(-1),
                ways=(detours.pair, 2 * (1 + detours.start[:-1] + np.arange(len(count)))))


def _ports(target: Target, corner: Array, size: Array, ports: int) -> Array:
    """(n, N_PORT) ports of the routers in a rectangle; their cores are yet to come."""
    network, cost, chip = target.network, target.times, target.board.mesh_width.value
    assert network is not None
    numbers = np.arange(size.prod())
    router = np.stack([numbers % size[0], numbers // size[0]], axis=1)
    port = np.zeros((len(router), ports, N_PORT), np.int64)
    port[:, :, ORIGIN] = (numbers * ports * N_PORT)[:, None]
    port[:, :, BIT] = 1 << np.arange(ports)
    port[:, :, [X, Y]] = router[:, None]
    port[:, :, [BEHIND, AT]] = -1
    port[:, :, INTERVAL] = picoseconds(network.interval.value, 1)
    port[:, :, HOP] = picoseconds(network.to_core.value)
    for link, way in enumerate(WAYS):
        on = router + way
        inside = np.all((on >= 0) & (on < size), axis=1)
        port[:, link, BEHIND] = np.where(
            inside, (on @ [1, size[0]] * ports + (link ^ 1)) * N_PORT, -1)
        chips = (np.stack([on[:, 0], router[:, 0]]) + corner[0]) // chip
        between = chips[0] != chips[1]
        hop = cost.hop_x if way[0] else cost.hop_y
        port[:, link, HOP] = np.where(
            between, picoseconds(cost.hop_chip.value, 1), picoseconds(hop.value, 1))
        port[between, link, INTERVAL] = picoseconds(network.interval_chip.value, 1)
    places = network.buffer.value * N_PLACE
    first = np.arange(len(router) * ports).reshape(len(router), ports) * places
    port[:, :, [BASE, FIRST, BACK]] = first[:, :, None]
    port[:, :, END] = first + places
    return port.reshape(-1, N_PORT)


def room_for(mesh: Mesh, threads: int) -> Room:
    """What `threads` threads move packets in; as many as ROOM has place for, and one at least."""
    ports, cores = len(mesh.port) // N_PORT, len(mesh.core) // N_CORE
    places, queue = ports * int(mesh.setup[DEPTH]) * N_PLACE, cores * int(mesh.setup[QUEUE])
    ring = np.zeros(RING, np.int64)
    clear(ring)
    each = mesh.port.nbytes + mesh.core.nbytes + ring.nbytes + (places + queue) * ring.itemsize
    team = min(threads, max(1, ROOM // each))
    return Room(
        clock=np.ones(team, np.int64), port=np.tile(mesh.port, (team, 1)),
        core=np.tile(mesh.core, (team, 1)), place=np.zeros((team, places), np.int64),
        queue=np.zeros((team, queue), np.int64), ring=np.tile(ring, (team, 1)))
