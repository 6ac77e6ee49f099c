"""A machine of SpiNNaker chips: what is linked to what, and what is dead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.errors import ConstraintError, unknown_name
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import mapping
from nmcompile.target import Target
from nmcompile.target.topology import KINDS, LINKS, board_width, chip_places, linked, router_links

LOCAL = 6  # in place of a link: the packet comes from a core of the chip
N_CORES = 18  # SpiNNMachine `version_spin1.py`; core 0 is the monitor
ENTRIES = 1023  # of 1024, entry 0 is reserved (SpiNNTools `RTR_ALLOC_FIRST 1`)
BOARD_SIZE = 8  # a version 5 board: 48 chips, a hexagon in 8 x 8 (`version_5.py`)


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """Chips by index; a dead one, where it is among them, has neither links nor cores.

    x, y       (n,) int32      position of each chip
    neighbour  (n, 6) int32    chip behind each link, -1 where there is none or it is dead
    cores      (n,) uint32     bit p is set where core p runs applications
    entries    (n,) int32      routing entries that may be used
    """

    x: Array
    y: Array
    neighbour: Array
    cores: Array
    entries: Array

    def __len__(self) -> int:
        return len(self.x)

    def name(self, chip: int) -> str:
        """How a user knows the chip."""
        return f"chip ({self.x[chip]}, {self.y[chip]})"


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Dead parts of a machine.

    chips  x, y
    links  x, y, link: nothing leaves the chip by this link
    cores  x, y, core
    """

    chips: tuple[tuple[int, int], ...] = ()
    links: tuple[tuple[int, int, int], ...] = ()
    cores: tuple[tuple[int, int, int], ...] = ()


def grid(
    width: int,
    height: int,
    *,
    wrap: bool = False,
    links: str = "triangular",
    faults: Faults = Faults(),
    entries: int = ENTRIES,
) -> Machine:
    """Chips in rows, numbered from (0, 0) along x without the dead ones; a torus if it wraps.

    links  "triangular" (six) or "mesh" (four: E, N, W, S)
    Raises NmcError where a dead part is outside of the machine.
    """
    if links not in KINDS:
        raise unknown_name("links", links, KINDS)
    for x, y, *_ in (*faults.chips, *faults.links, *faults.cores):
        if not (0 <= x < width and 0 <= y < height):
            raise ConstraintError(f"chip ({x}, {y})",
                                  f"is outside of the machine's {width} x {height} chips")
    alive = np.ones((height, width), bool)
    for x, y in faults.chips:
        alive[y, x] = False
    places = np.argwhere(alive)[:, ::-1].astype(np.int32)
    neighbour = linked(places, width, height, links=links, wrap=wrap)
    index = np.where(alive, np.cumsum(alive).reshape(alive.shape) - 1, -1).T
    cores = np.full(len(places), (1 << N_CORES) - 2, np.uint32)
    for x, y, link in faults.links:
        if index[x, y] >= 0:
            neighbour[index[x, y], link] = -1
    for x, y, core in faults.cores:
        if index[x, y] >= 0:
            cores[index[x, y]] &= ~np.uint32(1 << core)
    return Machine(x=places[:, 0], y=places[:, 1], neighbour=neighbour, cores=cores,
                   entries=np.full(len(places), entries, np.int32))


def spin5(faults: Faults = Faults()) -> Machine:
    """One board of 48 chips, whose outer links lead nowhere."""
    corners = tuple((x, y) for x in range(BOARD_SIZE) for y in range(BOARD_SIZE)
                    if not max(0, y - 3) <= x <= min(BOARD_SIZE - 1, y + 4))
    return grid(BOARD_SIZE, BOARD_SIZE, faults=replace(faults, chips=corners + faults.chips))


def machine_of(target: Target, faults: mapping.Faults) -> Machine:
    """The chips of a target with routers, dead or not, by number, and what of them works.

    Core i of a chip is core 1 + i of its router, whose core 0 is the monitor.
    """
    router, board = target.router, target.board
    assert router is not None
    places, neighbour = chip_places(router), router_links(router)
    number = np.full((router.height.value, board_width(target)), -1)
    number[places[:, 1], places[:, 0]] = np.arange(len(places))
    tile, link = np.divmod(faults.links.astype(np.int64), len(LINKS))
    neighbour[number.reshape(-1)[tile], link] = -1
    chip, core = np.divmod(faults.cores.astype(np.int64), target.cores_per_chip)
    cores = np.full(len(places), (2 << board.cores_per_tile.value) - 2, np.int64)
    np.bitwise_and.at(cores, chip, ~np.left_shift(2, core))
    return Machine(x=places[:, 0], y=places[:, 1], neighbour=neighbour,
                   cores=cores.astype(np.uint32),
                   entries=np.full(len(places), router.entries.value, np.int32))
