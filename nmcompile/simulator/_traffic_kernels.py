"""The routes of packets on a mesh, and what they cross at given rates."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def between(x0, y0, x1, y1, tiles, columns, ways):
    """First and end, in `ways`, of the tiles that a route goes through; the same if straight."""
    pairs, start, _ = ways
    if len(pairs) == 0:
        return 0, 0
    pair = np.int64(y0 * columns + x0) * tiles + y1 * columns + x1
    place = np.searchsorted(pairs, pair)
    if place < len(pairs) and pairs[place] == pair:
        return start[place], start[place + 1]
    return 0, 0


@kernel
def walk(x, y, end_x, end_y, packets, widths, ways, hop_time, loads, hops):
    """Add `packets` to the links and hops of their route; its seconds.

    loads  (links,) packets over each link
    hops   (3,) packets times hops along x, along y, and between chips
    """
    columns, seconds = widths[0], 0.0
    first, end = between(x, y, end_x, end_y, len(loads) // 4, columns, ways)
    for leg in range(first, end + 1):
        to_x, to_y = end_x, end_y
        if leg < end:
            to_x, to_y = ways[2][leg] % columns, ways[2][leg] // columns
        while x != to_x:
            east = to_x > x
            ahead = x + 1 if east else x - 1
            kind = 2 if ahead // widths[1] != x // widths[1] else 0
            loads[(y * columns + x) * 4 + (0 if east else 1)] += packets
            hops[kind] += packets
            seconds += hop_time[kind]
            x = ahead
        while y != to_y:
            south = to_y > y
            loads[(y * columns + x) * 4 + (3 if south else 2)] += packets
            hops[1] += packets
            seconds += hop_time[1]
            y = y + 1 if south else y - 1
    return seconds


@kernel
def spread(start, ends, packets, position, widths, ways, hop_time, loads, hops):
    """Add the packets between slices, (n + 1, n) in rows `start`, the last from the input port.

    hops  (n + 1, 3) of each row
    """
    for home in range(len(start) - 1):
        x, y = 0, 0
        if home < len(position):
            x, y = position[home, 0], position[home, 1]
        for k in range(start[home], start[home + 1]):
            box = ends[k]
            walk(x, y, position[box, 0], position[box, 1], packets[k], widths, ways, hop_time,
                 loads, hops[home])
