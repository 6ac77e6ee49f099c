"""A machine of SpiNNaker chips: what is linked to what, and what is dead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.errors import NmcError, unknown_name
from nmcompile.ir.neurons.base import Array

# E, NE, N, W, SW, S: SpiNNMachine `router.py`; the opposite link is (l + 3) % 6.
LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
KINDS = {"mesh": (0, 2, 3, 5), "triangular": (0, 1, 2, 3, 4, 5)}
LOCAL = 6  # in place of a link: the packet comes from a core of the chip
N_CORES = 18  # SpiNNMachine `version_spin1.py`; core 0 is the monitor
ENTRIES = 1023  # of 1024, entry 0 is reserved (SpiNNTools `RTR_ALLOC_FIRST 1`)
BOARD_SIZE = 8  # a version 5 board: 48 chips, a hexagon in 8 x 8 (`version_5.py`)


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """Living chips by index.

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
            raise NmcError(f"chip ({x}, {y})",
                           f"is outside of the machine's {width} x {height} chips")
    index = _index(width, height, faults.chips)
    at_x, at_y = (axis[index >= 0] for axis in np.indices((width, height)))
    order = np.argsort(index[at_x, at_y])
    at_x, at_y = at_x[order], at_y[order]
    neighbour = np.full((len(at_x), len(LINKS)), -1, np.int32)
    for link in KINDS[links]:
        to_x, to_y = at_x + LINKS[link][0], at_y + LINKS[link][1]
        on = wrap | ((to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height))
        neighbour[:, link] = np.where(on, index[to_x % width, to_y % height], -1)
    cores = np.full(len(at_x), (1 << N_CORES) - 2, np.uint32)
    for x, y, link in faults.links:
        if index[x, y] >= 0:
            neighbour[index[x, y], link] = -1
    for x, y, core in faults.cores:
        if index[x, y] >= 0:
            cores[index[x, y]] &= ~np.uint32(1 << core)
    return Machine(x=at_x.astype(np.int32), y=at_y.astype(np.int32), neighbour=neighbour,
                   cores=cores, entries=np.full(len(at_x), entries, np.int32))


def _index(width: int, height: int, dead: tuple[tuple[int, int], ...]) -> Array:
    """(width, height) number of each living chip along x, -1 where it is dead."""
    alive = np.ones((height, width), bool)
    for x, y in dead:
        alive[y, x] = False
    return np.where(alive, np.cumsum(alive).reshape(alive.shape) - 1, -1).T


def spin5(faults: Faults = Faults()) -> Machine:
    """One board of 48 chips, whose outer links lead nowhere."""
    corners = tuple((x, y) for x in range(BOARD_SIZE) for y in range(BOARD_SIZE)
                    if not max(0, y - 3) <= x <= min(BOARD_SIZE - 1, y + 4))
    return grid(BOARD_SIZE, BOARD_SIZE, faults=replace(faults, chips=corners + faults.chips))
