"""Count packets, hops, link loads and synaptic events of one step."""

from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


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
                route = 0.0
                while x != position[box, 0]:
                    east = position[box, 0] > x
                    ahead = x + 1 if east else x - 1
                    kind = 2 if ahead // widths[1] != x // widths[1] else 0
                    loads[sample, (y * widths[0] + x) * 4 + (0 if east else 1)] += 1
                    hops[sample, home, kind] += 1
                    route += hop_time[kind]
                    x = ahead
                while y != position[box, 1]:
                    south = position[box, 1] > y
                    loads[sample, (y * widths[0] + x) * 4 + (3 if south else 2)] += 1
                    hops[sample, home, 1] += 1
                    route += hop_time[1]
                    y = y + 1 if south else y - 1
                longest[sample] = max(longest[sample], route)


@parallel_kernel
def count_by_owner(payload, owner, counts):
    """Add the spikes of each sample to `counts` (samples, slices) by the slice of the neuron."""
    for sample in prange(payload.shape[0]):
        for neuron in range(payload.shape[1]):
            if payload[sample, neuron] != 0:
                counts[sample, owner[neuron]] += 1
