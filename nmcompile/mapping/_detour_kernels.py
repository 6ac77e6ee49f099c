"""Ways around dead links of a mesh, over flat arrays.

Common arguments of these kernels:
    pair      (k,) int64 rising, first tile * tiles + last tile; tile = row * width + column
    dead      (tiles * 4,) bool, links in the order tile * 4 + east, west, north, south
    along_x   (height, width + 1, 4) dead links of each direction in a row's tiles before a column
    along_y   (height + 1, width, 4) the same in a column's tiles before a row
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel

STRAIGHT, LOST = -1, -2


@kernel
def works(x0, y0, x1, y1, along_x, along_y):
    """Whether no link of the way in dimension order, x first, is dead."""
    if x1 > x0 and along_x[y0, x1, 0] != along_x[y0, x0, 0]:
        return False
    if x1 < x0 and along_x[y0, x0 + 1, 1] != along_x[y0, x1 + 1, 1]:
        return False
    if y1 < y0 and along_y[y0 + 1, x1, 2] != along_y[y1 + 1, x1, 2]:
        return False
    return not (y1 > y0 and along_y[y1, x1, 3] != along_y[y0, x1, 3])


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
def run_along(x, y, width, dead):
    """First and last column that tile (x, y) reaches along its row."""
    west, east = x, x
    while west > 0 and not dead[(y * width + west) * 4 + 1]:
        west -= 1
    while east < width - 1 and not dead[(y * width + east) * 4]:
        east += 1
    return west, east


@kernel
def best_in_column(x0, y0, x1, y1, xm, width, along_x, along_y, shortest, via):
    """Hops of the shortest way of two legs known so far, and its tile between, with column `xm`."""
    for ym in range(along_x.shape[0]):
        tile = ym * width + xm
        hops = abs(xm - x0) + abs(ym - y0) + abs(x1 - xm) + abs(y1 - ym)
        if ((hops < shortest or (hops == shortest and tile < via))
                and not meets_itself(x0, y0, xm, ym, x1, y1)
                and works(x0, y0, xm, ym, along_x, along_y)
                and works(xm, ym, x1, y1, along_x, along_y)):
            shortest, via = hops, tile
    return shortest, via


@kernel
def two_legs(pair, width, height, dead, along_x, along_y):
    """For each pair, the tile to go through: -1 where none is needed, -2 where no one tile helps.

    Of the shortest ways the one through the tile of the lowest number. Columns are tried from those
    between the ends outwards, while the first leg reaches them and a way through them can be as
    short as the best.
    """
    tiles = width * height
    found = np.full(len(pair), STRAIGHT, np.int32)
    for k in range(len(pair)):
        first, last = pair[k] // tiles, pair[k] % tiles
        x0, y0, x1, y1 = first % width, first // width, last % width, last // width
        if works(x0, y0, x1, y1, along_x, along_y):
            continue
        west, east = run_along(x0, y0, width, dead)
        low, high = min(x0, x1), max(x0, x1)
        shortest, via = 4 * tiles, np.int64(LOST)
        for xm in range(max(low, west), min(high, east) + 1):
            shortest, via = best_in_column(
                x0, y0, x1, y1, xm, width, along_x, along_y, shortest, via)
        near, out = high - low + abs(y1 - y0), 1
        while near + 2 * out <= shortest and (low - out >= west or high + out <= east):
            for xm in (low - out, high + out):
                if west <= xm <= east:
                    shortest, via = best_in_column(
                        x0, y0, x1, y1, xm, width, along_x, along_y, shortest, via)
            out += 1
        found[k] = via
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
