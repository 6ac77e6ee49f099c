"""Where cores lie, in joules: the flat form of a target that placement works on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target
from nmcompile.target.topology import EAST, WEST, board_width, tile_position


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """A grid of tiles with their cores, and what a packet's way costs.

    cores   (rows, columns, k) int32, the usable cores of each tile, -1 where there are fewer
    x, y    (columns,), (rows,) joules of a packet from the first column or row to each
    table   (tiles, rows, 2 * reach + 1) joules from a tile to those up to `reach` columns before
            and behind it, symmetric, where they are no sum over the axes, as with dead links;
            else (0, 0, 0). tile = row * columns + column
    link_s  (tiles * 4,) seconds that a packet keeps each link busy: east, west, north, south
    busy_w  joules that a second of the busiest link counts
    """

    cores: Array
    x: Array
    y: Array
    link_s: Array
    busy_w: float
    table: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def tile_of(self) -> Array:
        """(n_cores, 2) int32 column and row of each core's tile; -1 where it is not usable."""
        known = self.cores >= 0
        rows, columns, _ = np.nonzero(known)
        tile = np.full((int(self.cores.max()) + 1, 2), -1, np.int32)
        tile[self.cores[known]] = np.stack([columns, rows], axis=1)
        return tile

    def by_chip(self, chip: Array) -> Board:
        """Each chip as one tile of a row; `chip` (n_cores,) numbers the chip of each core."""
        known = np.sort(self.cores[self.cores >= 0])
        numbers = chip[known]
        width = np.bincount(numbers).max()
        cores = np.full((1, int(chip.max()) + 1, int(width)), -1, np.int32)
        first = np.searchsorted(numbers, np.arange(cores.shape[1]))
        cores[0, numbers, np.arange(len(known)) - first[numbers]] = known
        columns = len(self.x) // cores.shape[1]
        return replace(self, cores=cores, x=self.x[::columns].copy(), y=np.zeros(1),
                       table=np.zeros((0, 0, 0)))


def board_of(target: Target, usable: Array) -> Board:
    """The board of `target` with its `usable` cores, (n_cores,) bool.

    The busiest link counts with the static power of all chips, which flows while a step waits.
    """
    board, energy, power = target.board, target.energies, target.power.static.value
    columns, rows = board_width(target), board.mesh_height.value
    numbers = np.arange(target.n_cores, dtype=np.int32)
    at = tile_position(target, numbers)
    cores = np.full((rows, columns, board.cores_per_tile.value), -1, np.int32)
    cores[at[:, 1], at[:, 0], numbers % board.cores_per_tile.value] = np.where(usable, numbers, -1)
    step = np.where(np.arange(columns) % board.mesh_width.value, energy.hop_x.value,
                    energy.hop_chip.value)
    step[0] = 0.0
    return Board(
        cores=cores, x=np.cumsum(step), y=np.arange(rows) * energy.hop_y.value,
        link_s=_link_seconds(target), busy_w=power * board.chips.value)


def _link_seconds(target: Target) -> Array:
    cost, board = target.times, target.board
    column = np.arange(board_width(target)) % board.mesh_width.value
    seconds = np.full((board.mesh_height.value, board_width(target), 4), cost.hop_y.value)
    seconds[:, :, EAST] = np.where(column == board.mesh_width.value - 1, cost.hop_chip.value,
                                   cost.hop_x.value)
    seconds[:, :, WEST] = np.where(column == 0, cost.hop_chip.value, cost.hop_x.value)
    return seconds.reshape(-1)
