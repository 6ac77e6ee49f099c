"""Where cores and tiles of a board lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmcompile.target.schema import Target

EAST, WEST, NORTH, SOUTH = range(4)  # links of a tile: link number = tile * 4 + direction
INPUT_TILE = (0, 0)  # column, row where the host's spikes enter; no chip documents it: the corner
DIRECTIONS = ("east", "west", "north", "south")


def tile_position(target: Target, core: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, 2) column and row of each core's tile on the board; chips stand in a row along x."""
    board = target.board
    chip, inside = np.divmod(core, target.cores_per_chip)
    tile = inside // board.cores_per_tile.value
    row, column = np.divmod(tile, board.mesh_width.value)
    return np.stack([chip * board.mesh_width.value + column, row], axis=-1).astype(np.int32)


def board_width(target: Target) -> int:
    """Tile columns of the whole board."""
    return target.board.mesh_width.value * target.board.chips.value


def opposite(direction: NDArray[np.int64]) -> NDArray[np.int64]:
    """The direction that leads back."""
    return direction ^ 1


def tile_number(target: Target, core: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number of each core's tile on the board, row by row."""
    position = tile_position(target, core).astype(np.int64)
    return position[..., 1] * board_width(target) + position[..., 0]
