"""Ways around dead links of a mesh, over flat arrays."""

import numpy as np

from nmcompile.arithmetic.jit import kernel

STRAIGHT, LOST = -1, -2


@kernel
def works(x0, y0, x1, y1, along_x, along_y):
    """Whether no link of the way in dimension order, x first, is dead.

    along_x  (height, width + 1, 4) dead links of each direction in a row's tiles before a column
    along_y  (height + 1, width, 4) the same in a column's tiles before a row
    """
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
def find_detours(pair, width, height, along_x, along_y):
    """For each pair of tiles, the tile to go through: -1 where none is needed, -2 where none is."""
    tiles = width * height
    via = np.full(len(pair), STRAIGHT, np.int32)
    for k in range(len(pair)):
        first, last = pair[k] // tiles, pair[k] % tiles
        x0, y0, x1, y1 = first % width, first // width, last % width, last // width
        if works(x0, y0, x1, y1, along_x, along_y):
            continue
        via[k], shortest = LOST, 4 * (width + height)
        for tile in range(tiles):
            xm, ym = tile % width, tile // width
            hops = abs(xm - x0) + abs(ym - y0) + abs(x1 - xm) + abs(y1 - ym)
            if (hops < shortest and not meets_itself(x0, y0, xm, ym, x1, y1)
                    and works(x0, y0, xm, ym, along_x, along_y)
                    and works(xm, ym, x1, y1, along_x, along_y)):
                via[k], shortest = tile, hops
    return via
