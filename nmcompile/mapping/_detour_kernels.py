"""Ways around dead links of a mesh, over flat arrays.

Common arguments of these kernels:
    pair   (k,) int64 rising, first tile * tiles + last tile; tile = row * width + column
    dead   (tiles * 4,) bool, links in the order tile * 4 + east, west, north, south
    reach  (tiles, 4) int32, the last column or row that straight hops in each direction lead to
    come   (tiles, 2) int32, the first column from which hops to the east arrive, to the west
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel

STRAIGHT, LOST = -1, -2


@kernel
def runs(width, height, dead):
    """`reach` and `come` of a board."""
    tiles = width * height
    reach, come = np.empty((tiles, 4), np.int32), np.empty((tiles, 2), np.int32)
    for tile in range(tiles):
        column, row = tile % width, tile // width
        alone = column == 0 or dead[tile * 4 + 1]
        reach[tile, 1] = column if alone else reach[tile - 1, 1]
        alone = column == 0 or dead[(tile - 1) * 4]
        come[tile, 0] = column if alone else come[tile - 1, 0]
        alone = row == 0 or dead[tile * 4 + 2]
        reach[tile, 2] = row if alone else reach[tile - width, 2]
    for tile in range(tiles - 1, -1, -1):
        column, row = tile % width, tile // width
        alone = column == width - 1 or dead[tile * 4]
        reach[tile, 0] = column if alone else reach[tile + 1, 0]
        alone = column == width - 1 or dead[(tile + 1) * 4 + 1]
        come[tile, 1] = column if alone else come[tile + 1, 1]
        alone = row == height - 1 or dead[tile * 4 + 3]
        reach[tile, 3] = row if alone else reach[tile + width, 3]
    return reach, come


@kernel
def goes_along(x, y0, y1, width, reach):
    """Whether the links of column `x` from row `y0` to `y1` live."""
    tile = y0 * width + x
    return reach[tile, 2] <= y1 <= reach[tile, 3]


@kernel
def meets_itself(x0, y0, xm, ym, x1, y1):
    """Whether the way through (xm, ym) comes to a tile twice."""
    if ym == y0 and (xm - x0) * (x1 - xm) < 0:
        return True
    if xm == x1 and (ym - y0) * (y1 - ym) < 0:
        return True
    crossed_x = min(x0, xm) <= x1 <= max(x0, xm)
    crossed_y = min(ym, y1) <= y0 <= max(ym, y1)
    return crossed_x and crossed_y and not (xm == x1 and ym == y0)


@kernel
def in_row(x0, y0, x1, y1, ym, width, reach, come, most):
    """The best column to go through in row `ym`, and how far it is from those between the ends.

    Columns are tried from those between the ends outwards, up to `most` columns; -1 where none is
    right.
    """
    here, there = y0 * width + x0, ym * width + x1
    west, east = max(reach[here, 1], come[there, 0]), min(reach[here, 0], come[there, 1])
    low, high = min(x0, x1), max(x0, x1)
    for xm in range(max(low, west), min(high, east) + 1):
        if goes_along(xm, y0, ym, width, reach) and not meets_itself(x0, y0, xm, ym, x1, y1):
            return xm, 0
    for out in range(1, min(most, max(low - west, east - high)) + 1):
        for xm in (low - out, high + out):
            if (west <= xm <= east and goes_along(xm, y0, ym, width, reach)
                    and not meets_itself(x0, y0, xm, ym, x1, y1)):
                return xm, out
    return -1, 0


@kernel
def two_legs(pair, width, height, reach, come):
    """For each pair, the tile to go through: -1 where none is needed, -2 where no one tile helps.

    Of the shortest ways that meet no tile twice the one through the tile of the lowest number.
    """
    tiles = width * height
    found = np.full(len(pair), STRAIGHT, np.int32)
    for k in range(len(pair)):
        first, last = pair[k] // tiles, pair[k] % tiles
        x0, y0, x1, y1 = first % width, first // width, last % width, last // width
        if reach[first, 1] <= x1 <= reach[first, 0] and goes_along(x1, y0, y1, width, reach):
            continue
        found[k], shortest = LOST, 4 * tiles
        for ym in range(height):
            if not goes_along(x1, ym, y1, width, reach):
                continue
            hops = abs(x1 - x0) + abs(ym - y0) + abs(y1 - ym)
            most = (shortest - hops - 1) // 2
            if most < 0:
                continue
            xm, out = in_row(x0, y0, x1, y1, ym, width, reach, come, most)
            if xm >= 0:
                found[k], shortest = ym * width + xm, hops + 2 * out
    return found


@kernel
def explore(first, wanted, left, width, dead, hops, legs, queue):
    """Hops and legs of the shortest ways from `first`, until `left` tiles of `wanted` are reached.

    hops  (tiles,) -1 beforehand
    legs  (tiles, 2) the fewest legs of a shortest way whose last hop is along x, along y
    queue (tiles,) filled with the tiles that were met; returns how many
    """
    tiles = len(hops)
    hops[first], legs[first, 0], legs[first, 1] = 0, 1, tiles
    queue[0] = first
    done, met = 0, 1
    while done < met and left > 0:
        here = queue[done]
        done += 1
        left -= wanted[here]
        for way in range(4):
            there = next_tile(here, way, width, tiles)
            if there < 0 or dead[here * 4 + way]:
                continue
            if hops[there] < 0:
                hops[there], legs[there, 0], legs[there, 1] = hops[here] + 1, tiles, tiles
                queue[met] = there
                met += 1
            if hops[there] == hops[here] + 1:
                turn = 1 if way < 2 else 0
                count = min(legs[here, 0], legs[here, 1] + turn)
                legs[there, way // 2] = min(legs[there, way // 2], count)
    return met


@kernel
def next_tile(tile, way, width, tiles):
    """The tile to the east, west, north or south of `tile`, -1 where the board ends."""
    if way < 2:
        column = tile % width + (1 if way == 0 else -1)
        return tile - tile % width + column if 0 <= column < width else -1
    there = tile - width if way == 2 else tile + width
    return there if 0 <= there < tiles else -1


@kernel
def trace_back(first, last, width, dead, hops, legs, stops):
    """Fill `stops` with the ends of all legs but the last, from behind; their number.

    A leg ends where a hop along y is followed by one along x.
    """
    n, here = 0, last
    axis = 0 if legs[last, 0] <= legs[last, 1] else 1
    while here != first:
        for way in range(2 * axis, 2 * axis + 2):
            before = next_tile(here, way ^ 1, width, len(hops))
            if before < 0 or dead[before * 4 + way] or hops[before] != hops[here] - 1:
                continue
            count = legs[here, axis]
            if legs[before, 0] == count or (axis == 1 and legs[before, 1] == count):
                here, axis = before, 0 if legs[before, 0] == count else 1
                break
            if axis == 0 and legs[before, 1] + 1 == count:
                stops[n] = before
                n += 1
                here, axis = before, 1
                break
    return n


@kernel
def chains(pair, width, height, dead):
    """Shortest ways over living links, of these the ones with fewest legs.

    Returns start (k + 1,), -1 in all places from the first pair that has no way, and the tiles
    between, (start[k],), in the order in which they are met.
    """
    tiles = width * height
    hops, legs = np.full(tiles, -1, np.int32), np.zeros((tiles, 2), np.int32)
    queue, stops = np.zeros(tiles, np.int32), np.zeros(tiles, np.int32)
    wanted = np.zeros(tiles, np.int64)
    start, via = np.zeros(len(pair) + 1, np.int64), np.zeros(64, np.int32)
    begin = 0
    while begin < len(pair):
        first, end = pair[begin] // tiles, begin
        while end < len(pair) and pair[end] // tiles == first:
            wanted[pair[end] % tiles] = 1
            end += 1
        met = explore(first, wanted, end - begin, width, dead, hops, legs, queue)
        for k in range(begin, end):
            last = pair[k] % tiles
            if hops[last] < 0:
                start[k + 1:] = -1
                return start, via[:start[k]]
            n = trace_back(first, last, width, dead, hops, legs, stops)
            while start[k] + n > len(via):
                via = np.concatenate((via, np.zeros_like(via)))
            start[k + 1] = start[k] + n
            via[start[k]:start[k + 1]] = stops[:n][::-1]
            wanted[last] = 0
        hops[queue[:met]] = -1
        begin = end
    return start, via[:start[-1]]
