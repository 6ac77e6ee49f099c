"""Counts of a frame by slice, and what they take, in whole picoseconds."""

from numba import prange

from nmcompile.arithmetic.jit import bare_kernel, kernel, parallel_kernel
from nmcompile.simulator._traffic_kernels import between

UPDATE, SPIKE, OUT, IN, EVENT, SERIAL = range(6)  # columns of `cost`
N_COST = 6
# Columns of counts of a frame and of sums, a row for each slice and the last for the inputs
FIRED, OUTGOING, INCOMING, EVENTS, HOPS_X, HOPS_Y, HOPS_CHIP, BUSY = range(8)
N_COUNT, N_SUM = 4, 8
SENDING, RECEIVING = range(2)  # columns of `work`, a row for each core


@kernel
def count_up(home, on_core, compartments, sizes, place):
    """Fill `place` with the compartments of each neuron's core up to and including its own.

    sizes  (cores,) 0 at first, then the compartments of each core
    """
    for i in range(len(home)):
        core = on_core[home[i]]
        sizes[core] += compartments[home[i]]
        place[i] = sizes[core]


@bare_kernel
def count(sender, axon, home, counts):
    """Add the spikes of a frame, and the packets and synaptic events that they cause."""
    start, ends, synapses = axon
    for i in sender:
        box = home[i]
        counts[box, FIRED] += 1
        counts[box, OUTGOING] += start[i + 1] - start[i]
        for a in range(start[i], start[i + 1]):
            counts[ends[a], INCOMING] += 1
            counts[ends[a], EVENTS] += synapses[a]


@bare_kernel
def cross(sender, axon, home, tile, ways, frame, hop_time, sums, loads):
    """Add the hops of a frame's packets to `sums` and, unless it is empty, to `loads`.

    ways      pairs of tiles, rising, and the tiles that their routes go through (CSR)
    frame     first column and row of `loads`, tiles of the board, its columns, and those of a chip
    loads     (4, rows + 1, columns + 1) differences of packets over the links east and west along
              x, north and south along y
    returns   the picoseconds of the longest route; hop_time has those along x, y, between chips
    """
    start, ends, _ = axon
    columns, chip, longest = frame[3], frame[4], 0
    for i in sender:
        box = home[i]
        for a in range(start[i], start[i + 1]):
            x, y, c = tile[box, 0], tile[box, 1], tile[box, 2]
            end_x, end_y = tile[ends[a], 0], tile[ends[a], 1]
            along_x, along_y, chips = 0, 0, 0
            leg, last = between(x, y, end_x, end_y, frame[2], columns, ways)
            while True:
                to_x, to_y, to_c = end_x, end_y, tile[ends[a], 2]
                if leg < last:
                    to_x, to_y = ways[2][leg] % columns, ways[2][leg] // columns
                    to_c = to_x // chip
                along_x += abs(to_x - x)
                along_y += abs(to_y - y)
                chips += abs(to_c - c)
                if len(loads):
                    _load(loads, x - frame[0], y - frame[1], to_x - frame[0], to_y - frame[1])
                if leg >= last:
                    break
                x, y, c, leg = to_x, to_y, to_c, leg + 1
            sums[box, HOPS_X] += along_x - chips
            sums[box, HOPS_Y] += along_y
            sums[box, HOPS_CHIP] += chips
            route = (along_x - chips) * hop_time[0] + along_y * hop_time[1] + chips * hop_time[2]
            longest = max(longest, route)
    return longest


@bare_kernel
def _load(loads, x, y, to_x, to_y):
    """Add a packet to the links along row `y` and then along column `to_x`."""
    if to_x > x:
        loads[0, y, x] += 1
        loads[0, y, to_x] -= 1
    elif to_x < x:
        loads[1, y, to_x + 1] += 1
        loads[1, y, x + 1] -= 1
    if to_y < y:
        loads[2, to_y + 1, to_x] += 1
        loads[2, y + 1, to_x] -= 1
    elif to_y > y:
        loads[3, y, to_x] += 1
        loads[3, to_y, to_x] -= 1


@bare_kernel
def busiest(loads, link_time):
    """The picoseconds of the busiest link, whose packets take `link_time` each; clears `loads`."""
    most = 0
    for way in range(len(loads)):
        for y in range(loads.shape[1]):
            for x in range(loads.shape[2]):
                if way < 2 and x:
                    loads[way, y, x] += loads[way, y, x - 1]
                elif way >= 2 and y:
                    loads[way, y, x] += loads[way, y - 1, x]
                most = max(most, loads[way, y, x] * link_time[way, y, x])
    loads[:] = 0
    return most


@bare_kernel
def work_up(counts, on_core, updates, cost, sums, work):
    """Add the counts of a frame to `sums`, and to the `work` of each core; clear them.

    A core that sends and receives at once works as long as it does more of. Its slices share that
    by what each does of it, and so are busy as long as their core, all together.

    updates  (slices + 1,) compartments of each slice
    work     (cores + 1, 2) picoseconds that each core sends and receives for; none for the inputs.
             A core that does one after the other has all of them as the first
    """
    work[:] = 0
    inputs = len(counts) - 1
    for box in range(inputs):
        sending, receiving = _works(counts, updates, cost, box)
        work[on_core[box], SENDING] += sending
        work[on_core[box], RECEIVING] += receiving
    for box in range(inputs):
        sending, receiving = _works(counts, updates, cost, box)
        sends_more = work[on_core[box], SENDING] >= work[on_core[box], RECEIVING]
        sums[box, BUSY] += sending if sends_more else receiving
    for box in range(len(counts)):
        for column in range(N_COUNT):
            sums[box, column] += counts[box, column]
            counts[box, column] = 0


@bare_kernel
def _works(counts, updates, cost, box):
    """The picoseconds that a slice sends and receives for, as columns of `work`."""
    sending = (updates[box] * cost[UPDATE] + counts[box, FIRED] * cost[SPIKE]
               + counts[box, OUTGOING] * cost[OUT])
    receiving = counts[box, INCOMING] * cost[IN] + counts[box, EVENTS] * cost[EVENT]
    return (sending + receiving, 0) if cost[SERIAL] else (sending, receiving)


@parallel_kernel
def fast_frames(
    start, sender, axon, home, tile, on_core, updates, cost, ways, frame, hop_time, link_time,
    counts, sums, work, loads, step
):
    """The picoseconds of each frame without barrier, and sums; the tables have an axis of threads.

    A frame takes as long as its busiest core or link, and the longest route.
    """
    threads = len(sums)
    for thread in prange(threads):
        for number in range(thread, len(step), threads):
            sent = sender[start[number] : start[number + 1]]
            count(sent, axon, home, counts[thread])
            longest = cross(sent, axon, home, tile, ways, frame, hop_time, sums[thread],
                            loads[thread])
            work_up(counts[thread], on_core, updates, cost, sums[thread], work[thread])
            slowest = busiest(loads[thread], link_time)
            for core in range(len(work[thread]) - 1):
                for part in range(2):
                    slowest = max(slowest, work[thread, core, part])
            step[number] = slowest + longest


@parallel_kernel
def count_events(start, sender, axon, events):
    """Add the synaptic events of each frame to `events` (frames, slices)."""
    for frame in prange(len(events)):
        for k in range(start[frame], start[frame + 1]):
            for a in range(axon[0][sender[k]], axon[0][sender[k] + 1]):
                events[frame, axon[1][a]] += axon[2][a]


@kernel
def mark_zero(values, zero, first):
    """Mark in `zero` (samples, n) bool where `values` are 0; of what was marked, unless `first`."""
    for sample in range(zero.shape[0]):
        for neuron in range(zero.shape[1]):
            zero[sample, neuron] = (values[sample, neuron] == 0) & (first | zero[sample, neuron])


@kernel
def count_idle(before, after, spikes, owner, size, found):
    """Add neurons of `size` compartments that were and are at rest and did not spike to `found`.

    found  (samples, slices)
    """
    for sample in range(len(found)):
        for neuron in range(len(owner)):
            if before[sample, neuron] and after[sample, neuron] and spikes[sample, neuron] == 0:
                found[sample, owner[neuron]] += size
