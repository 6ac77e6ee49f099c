"""Parts of a board that do not work, and the ways around dead links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping._detour_kernels import find_detours
from nmcompile.mapping.mapping import Faults
from nmcompile.target import Target
from nmcompile.target.topology import (
    EAST,
    SOUTH,
    board_height,
    board_width,
    directions,
    neighbours,
    opposite,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Detours:
    """Routes that do not go straight: in dimension order to a tile, and from there on.

    pair  (k,) int64 rising, first tile * tiles of the board + last tile
    via   (k,) int32, the tile between
    """

    pair: Array
    via: Array


def both_ways(target: Target, link: Array) -> Array:
    """`link` and the links that lead back, rising."""
    ways = len(directions(target))
    tile, direction = np.divmod(np.asarray(link, np.int64), ways)
    back = neighbours(target)[tile, direction] * ways + opposite(target, direction)
    return np.unique(np.concatenate([link, back])).astype(np.int32)


def links_out(target: Target) -> Array:
    """One link of each pair that joins two tiles of the board, rising."""
    behind = neighbours(target)
    one_way = (EAST, SOUTH) if target.router is None else (0, 1, 2)
    tile, way = np.nonzero(behind[:, one_way] >= 0)
    return np.sort(tile * behind.shape[1] + np.array(one_way)[way])


def random_faults(target: Target, cores: float, links: float, seed: int) -> Faults:
    """Dead parts drawn at random: these shares of all cores and of all pairs of links."""
    rng = np.random.default_rng(seed)
    pairs = links_out(target)
    dead = rng.choice(target.n_cores, round(cores * target.n_cores), replace=False)
    broken = rng.choice(pairs, round(links * len(pairs)), replace=False)
    return Faults(cores=np.sort(dead).astype(np.int32), links=both_ways(target, broken))


def detours(target: Target, faults: Faults, first: Array, last: Array) -> Detours:
    """The ways from each of tiles `first` to each of `last` where the straight one is broken.

    A detour goes through the tile that makes it shortest, and meets no tile twice. Raises NmcError
    where there is none.
    """
    width, height = board_width(target), board_height(target)
    if not len(faults.links):
        return Detours(pair=np.zeros(0, np.int64), via=np.zeros(0, np.int32))
    pair = (np.unique(first).astype(np.int64)[:, None] * (width * height)
            + np.unique(last)).reshape(-1)
    dead = np.zeros((height, width, 4), np.int32)
    dead.reshape(-1)[faults.links] = 1
    along_x = np.pad(dead.cumsum(axis=1, dtype=np.int32), ((0, 0), (1, 0), (0, 0)))
    along_y = np.pad(dead.cumsum(axis=0, dtype=np.int32), ((1, 0), (0, 0), (0, 0)))
    via = find_detours(pair, width, height, along_x, along_y)
    lost = np.flatnonzero(via == -2)
    if len(lost):
        start, end = divmod(int(pair[lost[0]]), width * height)
        raise NmcError(
            target.name, f"no way leads from tile {start % width},{start // width} to "
            f"{end % width},{end // width} around the {len(faults.links)} dead links",
            "Reserve the cores of one of them in --constraints.")
    bent = via >= 0
    return Detours(pair=pair[bent], via=via[bent])
