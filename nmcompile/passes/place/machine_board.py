"""The board of a machine of routers: packets may take its links in any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import shortest_path

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Faults
from nmcompile.mapping.multicast.machine import machine_of
from nmcompile.passes.place.board import Board
from nmcompile.target import Target
from nmcompile.target.topology import board_height, board_width, tile_number, tile_position

MOST_CHIPS = 2500  # whose distances are kept; on larger machines hops count along x and along y


def machine_board(target: Target, usable: Array, faults: Faults) -> Board:
    """The board of a `target` with routers, and its `usable` cores, (n_cores,) bool.

    The way between two chips is the shortest over living links.
    """
    width, height, per_chip = board_width(target), board_height(target), target.cores_per_chip
    numbers = np.arange(target.n_cores, dtype=np.int32)
    at = tile_position(target, numbers)
    cores = np.full((height, width, per_chip), -1, np.int32)
    cores[at[:, 1], at[:, 0], numbers % per_chip] = np.where(usable, numbers, -1)
    hop = target.energies.hop_chip.value
    board = Board(cores=cores, x=hop * np.arange(width), y=hop * np.arange(height),
                  link_s=np.zeros(width * height * 4), busy_w=0.0)
    if target.board.chips.value > MOST_CHIPS:
        return board
    joules = np.zeros((width * height, width * height))
    tile = tile_number(target, numbers[::per_chip])
    joules[np.ix_(tile, tile)] = hop * _hops(machine_of(target, faults).neighbour)
    return replace(board, table=_by_columns(joules, width))


def _by_columns(joules: Array, width: int) -> Array:
    """`joules` (tiles, tiles) as the table of a `Board` that reaches all columns."""
    tile = np.arange(len(joules))
    column = tile % width + np.arange(1 - width, width)[:, None]
    rows = np.arange(len(joules) // width)
    there = rows[:, None, None] * width + np.clip(column, 0, width - 1)
    return np.ascontiguousarray(joules[tile, there].transpose(2, 0, 1))


def _hops(neighbour: Array) -> Array:
    """(chips, chips) links between chips; where there is no way, more than any way has."""
    n = len(neighbour)
    chip, link = np.nonzero(neighbour >= 0)
    links = scipy.sparse.csr_array((np.ones(len(chip)), (chip, neighbour[chip, link])), (n, n))
    hops = shortest_path(links, unweighted=True)
    return np.where(np.isfinite(hops), (hops + hops.T) / 2, n)
