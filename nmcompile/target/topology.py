"""Where cores and tiles of a board lie, and what links them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmcompile.target.schema import Router, Target

EAST, WEST, NORTH, SOUTH = range(4)  # links of a tile: link number = tile * 4 + direction
INPUT_TILE = (0, 0)  # column, row where the host's spikes enter; no chip documents it: the corner
DIRECTIONS = ("east", "west", "north", "south")
# Links of a chip with a router, number = tile * 6 + link; the opposite one is (link + 3) % 6
# (SpiNNMachine 7.4.1 `router.py`).
LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
LINK_NAMES = ("east", "northeast", "north", "west", "southwest", "south")
KINDS = {"mesh": (0, 2, 3, 5), "triangular": (0, 1, 2, 3, 4, 5)}


def tile_position(target: Target, core: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, 2) column and row of each core's tile on the board.

    Chips stand in a row along x, or where the target's routers are.
    """
    board = target.board
    chip, inside = np.divmod(core, target.cores_per_chip)
    if target.router is not None:
        return chip_places(target.router)[chip]
    tile = inside // board.cores_per_tile.value
    row, column = np.divmod(tile, board.mesh_width.value)
    return np.stack([chip * board.mesh_width.value + column, row], axis=-1).astype(np.int32)


def board_width(target: Target) -> int:
    """Tile columns of the whole board."""
    if target.router is not None:
        return target.router.width.value
    return target.board.mesh_width.value * target.board.chips.value


def board_height(target: Target) -> int:
    """Tile rows of the whole board."""
    return (target.board.mesh_height if target.router is None else target.router.height).value


def directions(target: Target) -> tuple[str, ...]:
    """Names of the ways out of a tile, in the order of their numbers."""
    return DIRECTIONS if target.router is None else LINK_NAMES


def n_links(target: Target) -> int:
    """Link numbers of the board, of links that exist or not."""
    return board_width(target) * board_height(target) * len(directions(target))


def opposite(target: Target, direction: NDArray[np.int64]) -> NDArray[np.int64]:
    """The direction that leads back."""
    return direction ^ 1 if target.router is None else (direction + 3) % len(LINKS)


def neighbours(target: Target) -> NDArray[np.int64]:
    """(tiles, ways) number of the tile behind each link of each tile, -1 for none."""
    width, height = board_width(target), board_height(target)
    if target.router is None:
        tiles = np.pad(np.arange(width * height).reshape(height, width), 1, constant_values=-1)
        ways = (tiles[1:-1, 2:], tiles[1:-1, :-2], tiles[:-2, 1:-1], tiles[2:, 1:-1])
        return np.stack(ways, axis=-1).reshape(-1, len(DIRECTIONS))
    places = chip_places(target.router).astype(np.int64)
    number, behind = places[:, 1] * width + places[:, 0], router_links(target.router)
    found = np.full((width * height, len(LINKS)), -1)
    found[number] = np.where(behind >= 0, number[behind], -1)
    return found


def tile_number(target: Target, core: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number of each core's tile on the board, row by row."""
    position = tile_position(target, core).astype(np.int64)
    return position[..., 1] * board_width(target) + position[..., 0]


def chip_places(router: Router) -> NDArray[np.int32]:
    """(chips, 2) column and row of each chip with a router: along x, then y."""
    there = np.ones((router.height.value, router.width.value), bool)
    for x, y in router.missing.value:
        there[y, x] = False
    return np.argwhere(there)[:, ::-1].astype(np.int32)


def linked(
    places: NDArray[np.int32], width: int, height: int, *, links: str, wrap: bool
) -> NDArray[np.int32]:
    """(chips, 6) the chip behind each of the `LINKS` of chips in (chips, 2) `places`, -1 for none.

    links, wrap  as of `Router`
    """
    index = np.full((width, height), -1, np.int32)
    index[places[:, 0], places[:, 1]] = np.arange(len(places))
    neighbour = np.full((len(places), len(LINKS)), -1, np.int32)
    for link in KINDS[links]:
        x, y = (places + np.array(LINKS[link])).T
        on = wrap | ((x >= 0) & (x < width) & (y >= 0) & (y < height))
        neighbour[:, link] = np.where(on, index[x % width, y % height], -1)
    return neighbour


def router_links(router: Router) -> NDArray[np.int32]:
    """(chips, 6) the chip behind each link of each chip of a board, -1 for none."""
    places = chip_places(router)
    width, height = router.width.value, router.height.value
    neighbour = linked(places, width, height, links=router.links.value, wrap=router.wrap.value)
    number = np.full((width, height), -1)
    number[places[:, 0], places[:, 1]] = np.arange(len(places))
    for x, y, link in router.missing_links.value:
        neighbour[number[x, y], link] = -1
    return neighbour


def nearest_chips(router: Router) -> NDArray[np.int64]:
    """All chips by their hops from chip 0, where spikes enter, then by number."""
    neighbour = router_links(router)
    hops = np.full(len(neighbour), len(neighbour))
    ring, far = np.zeros(1, np.int64), 0
    while len(ring):
        hops[ring] = far
        behind = np.unique(neighbour[ring])
        ring, far = behind[(behind >= 0) & (hops[behind] == len(hops))], far + 1
    return np.argsort(hops, kind="stable")
