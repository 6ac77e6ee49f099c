"""The frames of a block: what each core sends and gets, and when it is done."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import bare_kernel, parallel_kernel
from nmcompile.simulator._events_kernels import (
    EVENT,
    IN,
    OUT,
    SENDING,
    SPIKE,
    UPDATE,
    count,
    cross,
    work_up,
)
from nmcompile.simulator.cycle._fields import (
    DONE,
    ENTRY,
    EXIT,
    GAP,
    LAST,
    LEG,
    NEXT,
    PACE,
    ROUTER,
    SENT,
    SERVICE,
    TO,
)
from nmcompile.simulator.cycle._move_kernels import move

# Columns of `pace`, a row for each core: picoseconds until its last packet so far, spikes, packets
WORKED, SPIKES, PACKETS = range(3)
N_PACE = 3


@parallel_kernel
def cycle_frames(
    start, sender, axon, home, place_in_core, tile, on_core, updates, cost, detours, frame, ways,
    hop_time, rest, setup, router, via,
    counts, sums, work, loads, pace, port, place, core, queue, packet, event, ring,
    step, slowest, lost
):
    """The picoseconds of each frame without barrier, and sums.

    home to hop_time  as of `_events_kernels.py`; place_in_core is `Events.place`
    ways      pairs of routers with a way around, rising, and where in `via` it begins
    rest      picoseconds after which whatever a frame did is over
    setup, router, via  as of `_move_kernels.py`; the tables from `counts` to `ring` have an axis of
              threads
    slowest   (frames,) the core that is done last; lost  (frames,) packets that do not arrive
    """
    threads = len(sums)
    for thread in prange(threads):
        begin = np.int64(1)
        for number in range(thread, len(step), threads):
            sent = sender[start[number] : start[number + 1]]
            count(sent, axon, home, counts[thread])
            cross(sent, axon, home, tile, detours, frame, hop_time, sums[thread], loads)
            total = write_packets(
                sent, axon, home, place_in_core, on_core, cost, setup, len(router), ways,
                counts[thread], core[thread], pace[thread], port[thread], packet[thread])
            work_up(counts[thread], on_core, updates, cost, sums[thread], work[thread])
            lost[number] = total - move(
                setup, router, via, port[thread], place[thread], core[thread], queue[thread],
                packet[thread], event[thread], ring[thread], begin)
            end, slowest[number] = _end(core[thread], pace[thread], work[thread], begin)
            step[number] = end - begin
            begin = end + rest


@bare_kernel
def write_packets(
    sender, axon, home, place, on_core, cost, setup, routers, ways, counts, core, pace, port, packet
):
    """Write the packets of a frame, those of each core together and in its order; their number."""
    start, ends, synapses = axon
    core[:, LAST] = 0
    pace[:] = 0
    for box in range(len(counts)):
        core[on_core[box], LAST] += counts[box, 1]
    total = np.int64(0)
    for number in range(len(core)):
        core[number, NEXT] = total
        total += core[number, LAST]
        core[number, LAST] = core[number, NEXT]
    inputs = len(core) - 1
    for i in sender:
        number = on_core[home[i]]
        worked, out = np.int64(0), np.int64(0)
        if number != inputs:
            pace[number, SPIKES] += 1
            out = cost[OUT]
            worked = (place[i] * cost[UPDATE] + pace[number, SPIKES] * cost[SPIKE]
                      + pace[number, PACKETS] * out)
        row = core[number, LAST]
        for a in range(start[i], start[i + 1]):
            to = on_core[ends[a]]
            worked += out
            packet[row, GAP] = max(worked - pace[number, WORKED], setup[PACE])
            pace[number, WORKED] = worked
            packet[row, SERVICE] = cost[IN] + synapses[a] * cost[EVENT]
            packet[row, TO] = to
            packet[row, LEG] = _first_leg(ways, routers, port, core[number, ENTRY], core[to, EXIT])
            row += 1
        pace[number, PACKETS] += row - core[number, LAST]
        core[number, LAST] = row
    return total


@bare_kernel
def _first_leg(ways, routers, port, entry, exit_):
    """Where in `via` the way from one port to the other begins; 0, which is empty, if straight."""
    pairs, first = ways
    if len(pairs) == 0:
        return np.int64(0)
    pair = port[entry, ROUTER] * routers + port[exit_, ROUTER]
    at = np.searchsorted(pairs, pair)
    return first[at] if at < len(pairs) and pairs[at] == pair else np.int64(0)


@bare_kernel
def _end(core, pace, work, begin):
    """When the last core is done, and which."""
    end, slowest = begin, 0
    for number in range(len(core)):
        done = core[number, SENT] + work[number, SENDING] - pace[number, WORKED]
        done = max(done, core[number, DONE])
        if done > end:
            end, slowest = done, number
    return end, slowest
