"""Ways over a mesh with dead links, tile by tile: the plain definitions."""

import heapq
from itertools import pairwise

from nmcompile.target.topology import EAST, NORTH, SOUTH, WEST, board_width

STEPS = {EAST: (1, 0), WEST: (-1, 0), NORTH: (0, -1), SOUTH: (0, 1)}


def leg(x, y, to_x, to_y):
    """Tiles of a way in dimension order, x first, with its first and without its last."""
    while (x, y) != (to_x, to_y):
        yield x, y
        if x != to_x:
            x += 1 if to_x > x else -1
        else:
            y += 1 if to_y > y else -1


def way(target, stops):
    """All tiles (column, row) of a way from the first of `stops` through each to the last."""
    width = board_width(target)
    at = [(int(stop) % width, int(stop) // width) for stop in stops]
    return [*(tile for a, b in pairwise(at) for tile in leg(*a, *b)), at[-1]]


def links_of(target, tiles):
    """Link numbers of a way."""
    by_step = {step: direction for direction, step in STEPS.items()}
    return [(y * board_width(target) + x) * 4 + by_step[(to_x - x, to_y - y)]
            for (x, y), (to_x, to_y) in pairwise(tiles)]


def living_neighbours(target, dead, tile):
    """Pairs of direction and tile that living links lead to."""
    width, height = board_width(target), target.board.mesh_height.value
    for direction, (dx, dy) in STEPS.items():
        x, y = tile % width + dx, tile // width + dy
        if 0 <= x < width and 0 <= y < height and tile * 4 + direction not in dead:
            yield direction, y * width + x


def shortest(target, dead, first):
    """Tile -> (hops, legs): the least of both, hops first, over living links from `first`."""
    found, queue = {}, [(0, 1, first, "x")]
    while queue:
        hops, legs, tile, axis = heapq.heappop(queue)
        if (tile, axis) in found:
            continue
        found[tile, axis] = hops, legs
        for direction, there in living_neighbours(target, dead, tile):
            along = "x" if direction in (EAST, WEST) else "y"
            turn = axis == "y" and along == "x"
            heapq.heappush(queue, (hops + 1, legs + turn, there, along))
    return {tile: min(found.get((tile, axis), (10**9, 0)) for axis in "xy") for tile, _ in found}


def largest_part(target, dead):
    """The set of tiles of the largest part whose tiles living links join, of the lowest number."""
    tiles = range(board_width(target) * target.board.mesh_height.value)
    ahead = {tile: set(shortest(target, dead, tile)) for tile in tiles}
    parts = [{other for other in ahead[tile] if tile in ahead[other]} for tile in tiles]
    return max(parts, key=len)
