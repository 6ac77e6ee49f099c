"""A machine of SpiNNaker chips: what is linked to what, and what is dead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array

# Link ids and directions, SpiNNMachine `router.py`: E, NE, N, W, SW, S; the opposite is (l + 3) % 6.
LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
MESH = (0, 2, 3, 5)  # the links of a machine without diagonals
N_LINKS = 6
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


def grid(
    width: int,
    height: int,
    *,
    wrap: bool = False,
    links: str = "triangular",
    dead_chips: Iterable[tuple[int, int]] = (),
    dead_links: Iterable[tuple[int, int, int]] = (),
    dead_cores: Iterable[tuple[int, int, int]] = (),
    entries: int = ENTRIES,
) -> Machine:
    """Chips in rows, index y * width + x without the dead ones; a torus if it wraps.

    links       "triangular" (six) or "mesh" (four: E, N, W, S)
    dead_links  x, y, link: nothing leaves the chip by this link
    dead_cores  x, y, core
    Raises NmcError where a dead part is outside of the machine.
    """
    if links not in ("triangular", "mesh"):
        raise NmcError("links", f"'{links}' is not known", "Known: mesh, triangular.")
    alive = np.ones((width, height), bool)
    for x, y in dead_chips:
        _inside(x, y, width, height)
        alive[x, y] = False
    x, y = (axis.ravel().astype(np.int32) for axis in np.meshgrid(range(width), range(height)))
    kept = alive[x, y]
    x, y = x[kept], y[kept]
    index = np.full((width, height), -1, np.int32)
    index[x, y] = np.arange(len(x))
    neighbour = np.full((len(x), N_LINKS), -1, np.int32)
    for link in range(N_LINKS) if links == "triangular" else MESH:
        there_x, there_y = x + LINKS[link][0], y + LINKS[link][1]
        on = wrap | ((there_x >= 0) & (there_x < width) & (there_y >= 0) & (there_y < height))
        neighbour[:, link] = np.where(on, index[there_x % width, there_y % height], -1)
    cores = np.full(len(x), (1 << N_CORES) - 2, np.uint32)
    for at_x, at_y, link in dead_links:
        _inside(at_x, at_y, width, height)
        if index[at_x, at_y] >= 0:
            neighbour[index[at_x, at_y], link] = -1
    for at_x, at_y, core in dead_cores:
        _inside(at_x, at_y, width, height)
        if index[at_x, at_y] >= 0:
            cores[index[at_x, at_y]] &= ~np.uint32(1 << core)
    return Machine(x=x, y=y, neighbour=neighbour, cores=cores,
                   entries=np.full(len(x), entries, np.int32))


def spin5(
    *,
    dead_chips: Iterable[tuple[int, int]] = (),
    dead_links: Iterable[tuple[int, int, int]] = (),
    dead_cores: Iterable[tuple[int, int, int]] = (),
) -> Machine:
    """One board of 48 chips, whose outer links lead nowhere."""
    corners = [(x, y) for x in range(BOARD_SIZE) for y in range(BOARD_SIZE)
               if not max(0, y - 3) <= x <= min(BOARD_SIZE - 1, y + 4)]
    return grid(BOARD_SIZE, BOARD_SIZE, dead_chips=[*corners, *dead_chips], dead_links=dead_links,
                dead_cores=dead_cores)


def _inside(x: int, y: int, width: int, height: int) -> None:
    if not (0 <= x < width and 0 <= y < height):
        raise NmcError(f"chip ({x}, {y})", f"is outside of the machine's {width} x {height} chips")
