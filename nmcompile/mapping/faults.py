"""Parts of a board that do not work, and the ways around dead links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from nmcompile.errors import RouteError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping._detour_kernels import LOST, STRAIGHT, chains, runs, two_legs
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
    tile_number,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Detours:
    """Ways of several legs: in dimension order to one tile after the other, and from there on.

    pair   (k,) int64 rising, first tile * tiles of the board + last tile
    start  (k + 1,) int64; the tiles between of pair i are via[start[i]:start[i + 1]], one at least
    via    (start[k],) int32, in the order in which they are met
    """

    pair: Array
    start: Array
    via: Array


class NoWayError(RouteError):
    """Dead links leave no way from tile `first` to tile `last`."""

    def __init__(self, target: Target, faults: Faults, first: int, last: int, by: str = "") -> None:
        width = board_width(target)
        super().__init__(
            by or target.name, f"no way leads from tile {first % width},{first // width} to "
            f"{last % width},{last // width} of {target.name} around its {len(faults.links)} dead "
            "links", "Use a board where living links join them.")
        self.first = first
        self.last = last


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


def joined_tiles(target: Target, faults: Faults) -> Array:
    """(tiles,) bool: the largest part of the board in which living links lead from all to all.

    Of several that are as large, the one with the tile of the lowest number. Where chips have
    routers, the part with the first chip, whose router spikes enter by.
    """
    if target.router is None and not len(faults.links):
        return np.ones(board_width(target) * board_height(target), bool)
    behind = neighbours(target)
    alive, tiles = behind >= 0, len(behind)
    alive.reshape(-1)[faults.links] = False
    tile, way = np.nonzero(alive)
    graph = scipy.sparse.coo_array(
        (np.ones(len(tile), bool), (tile, behind[tile, way])), (tiles, tiles))
    label = connected_components(graph, directed=True, connection="strong")[1]
    if target.router is not None:
        return np.asarray(label == label[0])
    sizes = np.bincount(label)[label]
    return np.asarray(label == label[sizes.argmax()])


def cut_off(target: Target, faults: Faults) -> Array:
    """(n_cores,) bool: living cores on tiles outside of `joined_tiles`."""
    cores = np.arange(target.n_cores, dtype=np.int32)
    lost = ~joined_tiles(target, faults)[tile_number(target, cores)]
    lost[faults.cores] = False
    return lost


def detours(target: Target, faults: Faults, first: Array, last: Array) -> Detours:
    """The ways from tiles `first` (k,) to tiles `last` (k,) where the straight one is broken.

    Where a way of two legs exists that meets no tile twice, it is the shortest of them, through the
    tile of the lowest number. Elsewhere it is a shortest way over living links, found breadth
    first, and of these one with the fewest legs; as a shortest way it meets no tile twice. Raises
    NoWayError where living links do not lead from one tile to the other.

    Time: a step for each tile of the board and for each pair; for each broken pair and each row of
    the board a step for each column that both legs reach, at most as far out as the best way so
    far; where two legs do not help, for each first tile a step for each tile that is no farther
    than the farthest last one, and for each pair a step for each hop.
    """
    if not len(faults.links):
        return _bent(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(1, np.int64),
                     np.zeros(0, np.int32))
    width, height = board_width(target), board_height(target)
    tiles = width * height
    pair = np.unique(np.asarray(first, np.int64) * tiles + last)
    dead = np.zeros(tiles * 4, bool)
    dead[faults.links] = True
    via = two_legs(pair, width, height, *runs(width, height, dead))
    lost = pair[via == LOST]
    start, between = chains(lost, width, height, dead)
    if start[-1] < 0:
        raise NoWayError(target, faults, *divmod(int(lost[np.argmin(start) - 1]), tiles))
    return _bent(pair, via, start, between)


def _bent(pair: Array, via: Array, start: Array, between: Array) -> Detours:
    """Ways of two legs through `via`, and where that is LOST, those of more, CSR."""
    bent = via != STRAIGHT
    pair, via = pair[bent], via[bent]
    longer = via == LOST
    counts = np.ones(len(pair), np.int64)
    counts[longer] = np.diff(start)
    several = np.repeat(longer, counts)
    stops = np.empty(len(several), np.int32)
    stops[~several], stops[several] = via[~longer], between
    return Detours(pair=pair, start=np.concatenate([[0], np.cumsum(counts)]), via=stops)
