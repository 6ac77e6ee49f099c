"""Count packets, hops, link loads and synaptic events of one step."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import kernel, parallel_kernel


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


@parallel_kernel
def count(
    payload,
    start,
    ends,
    synapses,
    owner,
    position,
    origin,
    widths,
    ways,
    hop_time,
    events,
    packets_in,
    packets_out,
    hops,
    loads,
    longest,
):
    """Add one projection's packets of one step to the tallies of each sample, in place.

    owner        (n_sources,) slice of each source, -1 for an input
    position     (n_slices, 2) tile of each slice; `origin` is the tile where inputs enter
    widths       tile columns of the board and of one chip
    ways         pairs of tiles, rising, and the tiles that their routes go through (CSR)
    hop_time     seconds of a hop along x, along y, and between chips
    events, packets_in (samples, n_slices) where packets end; packets_out where they begin, the
                 inputs in the last column
    hops         (samples, n_slices + 1, 3) along x, y and between chips, where packets begin
    loads        (samples, links) packets over each link; link = tile * 4 + east, west, north, south
    longest      (samples,) seconds of the longest route taken
    """
    outside = packets_out.shape[1] - 1
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            if payload[sample, source] == 0:
                continue
            home = owner[source] if owner[source] >= 0 else outside
            for axon in range(start[source], start[source + 1]):
                box = ends[axon]
                events[sample, box] += synapses[axon]
                packets_in[sample, box] += 1
                packets_out[sample, home] += 1
                x, y = origin
                if home != outside:
                    x, y = position[home, 0], position[home, 1]
                route = walk(x, y, position[box, 0], position[box, 1], 1, widths, ways, hop_time,
                             loads[sample], hops[sample, home])
                longest[sample] = max(longest[sample], route)


@parallel_kernel
def count_events(payload, start, ends, synapses, events):
    """Add the synaptic events of one projection to `events` (samples, slices)."""
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            if payload[sample, source] != 0:
                for axon in range(start[source], start[source + 1]):
                    events[sample, ends[axon]] += synapses[axon]


@parallel_kernel
def count_by_owner(payload, owner, counts):
    """Add the spikes of each sample to `counts` (samples, slices) by the slice of the neuron."""
    for sample in prange(payload.shape[0]):
        for neuron in range(payload.shape[1]):
            if payload[sample, neuron] != 0:
                counts[sample, owner[neuron]] += 1
