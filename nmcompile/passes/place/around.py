"""What ways around dead links cost: joules between tiles that are no sum over the axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Faults
from nmcompile.mapping.faults import Detours, detours, joined_tiles
from nmcompile.passes.place.board import Board
from nmcompile.target import Target
from nmcompile.target.topology import INPUT_TILE

MOST = 1 << 21  # pairs of tiles in a table


def around(board: Board, target: Target, faults: Faults) -> Board:
    """`board` with the chips up to its last usable core, and the joules of ways between tiles.

    A table holds at most `MOST` pairs of tiles, so it reaches

        (MOST / (tiles * rows) - 1) / 2

    columns to each side, all of them on boards of up to 1,024 tiles; between tiles that are farther
    apart, and between ones without a usable core, ways count as straight. Where the ways there and
    back differ, both count with the mean: placement does not know directions.
    """
    rows, columns, _ = board.cores.shape
    used = np.logical_or.reduce(board.cores >= 0, axis=2)
    chip = target.board.mesh_width.value
    width = (int(np.flatnonzero(used.any(axis=0)).max()) // chip + 1) * chip
    used[INPUT_TILE[::-1]] = joined_tiles(target, faults).reshape(rows, columns)[INPUT_TILE[::-1]]
    reach = min(width - 1, max(1, (MOST // (rows * rows * width) - 1) // 2))
    row, column, to_row, away = np.nonzero(_near(used[:, :width], reach))
    tile, to_tile = row * columns + column, to_row * columns + column + away - reach
    ways = detours(target, faults, tile, to_tile)
    first, last = np.divmod(ways.pair, rows * columns)
    (y, x), (to_y, to_x) = np.divmod(first, columns), np.divmod(last, columns)
    more = (joules(ways, board.x, board.y) - _straight(board, x, y, to_x, to_y)) / 2
    table = _straight_table(board, width, reach)
    table[y * width + x, to_y, to_x - x + reach] += more
    table[to_y * width + to_x, y, x - to_x + reach] += more
    links = board.link_s.reshape(rows, columns, 4)[:, :width]
    return replace(board, cores=np.ascontiguousarray(board.cores[:, :width]), x=board.x[:width],
                   link_s=links.reshape(-1), table=table)


def joules(ways: Detours, x: Array, y: Array) -> Array:
    """(k,) of a packet on each of `ways`; `x` and `y` as of the whole board."""
    first, last = np.divmod(ways.pair, len(x) * len(y))
    begin = np.insert(ways.via, ways.start[:-1], first)
    end = np.insert(ways.via, ways.start[1:], last)
    (row, column), (to_row, to_column) = np.divmod(begin, len(x)), np.divmod(end, len(x))
    legs = np.abs(x[column] - x[to_column]) + np.abs(y[row] - y[to_row])
    return np.add.reduceat(legs, ways.start[:-1] + np.arange(len(first)))


def _near(used: Array, reach: int) -> Array:
    """(rows, columns, rows, 2 * reach + 1) bool: pairs of `used` tiles at most `reach` apart."""
    padded = np.pad(used, ((0, 0), (reach, reach)))
    there = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return used[:, :, None, None] & there.transpose(1, 0, 2)[None]


def _straight_table(board: Board, width: int, reach: int) -> Array:
    """(tiles, rows, 2 * reach + 1) joules of straight ways on the first `width` columns."""
    rows = len(board.y)
    column, away = np.arange(width)[:, None], np.arange(-reach, reach + 1)
    along = np.abs(board.x[np.clip(column + away, 0, width - 1)] - board.x[column])
    across = np.abs(board.y[:, None] - board.y)
    table = across[:, None, :, None] + along[None, :, None, :]
    return table.reshape(rows * width, rows, 2 * reach + 1)


def _straight(board: Board, x: Array, y: Array, to_x: Array, to_y: Array) -> Array:
    return np.abs(board.x[x] - board.x[to_x]) + np.abs(board.y[y] - board.y[to_y])
