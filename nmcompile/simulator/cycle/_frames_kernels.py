"""The frames of a block: what each core sends and gets, and when it is done."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import bare_kernel, parallel_kernel
from nmcompile.simulator._events_kernels import (
    EVENT,
    IN,
    OUT,
    OUTGOING,
    SENDING,
    SPIKE,
    UPDATE,
    count,
    cross,
    work_up,
)
from nmcompile.simulator.cycle._fields import (
    DONE,
    GAP,
    LAST,
    LEG,
    N_CORE,
    N_PACKET,
    NEXT,
    PACE,
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
    hop_time, rest, setup, via, counts, sums, work, loads, pace, port, place, core, queue, packet,
    ring, clock, step, lost
):
    """The picoseconds of each frame without barrier, and sums.

    A thread leaves its frames at the first of which packets do not arrive, and its tables as they
    are then.

    home to hop_time  as of `_events_kernels.py`; place_in_core is `Events.place`
    ways      pairs of tiles with a way around, rising, and where in `via` it begins
    rest      picoseconds after which whatever a frame did is over
    setup, via  and the tables from `port` to `ring` as of `_move_kernels.py`; all tables have an
              axis of threads
    clock     (threads,) when each thread's next frame begins, behind all that its tables hold
    lost      (frames,) packets that do not arrive
    """
    threads, silent = len(sums), np.zeros(0, np.int64)
    for thread in prange(threads):
        begin = clock[thread]
        for number in range(thread, len(step), threads):
            sent = sender[start[number] : start[number + 1]]
            count(sent, axon, home, counts[thread])
            cross(sent, axon, home, tile, detours, frame, hop_time, sums[thread], loads)
            total = write_packets(
                sent, axon, home, place_in_core, tile, on_core, cost, setup, frame, ways,
                counts[thread], core[thread], pace[thread], packet[thread])
            work_up(counts[thread], on_core, updates, cost, sums[thread], work[thread])
            lost[number] = total - move(
                setup, via, port[thread], place[thread], core[thread], queue[thread],
                packet[thread], ring[thread], silent, begin)
            if lost[number]:
                break
            end = _end(core[thread], pace[thread], work[thread], begin)
            step[number] = end - begin
            begin = end + rest
        clock[thread] = begin


@bare_kernel
def write_packets(
    sender, axon, home, place, tile, on_core, cost, setup, frame, ways, counts, core, pace, packet
):
    """Write the packets of a frame, those of each core together and in its order; their number."""
    start, ends, synapses = axon
    for at in range(0, len(core), N_CORE):
        core[at + LAST] = 0
    pace[:] = 0
    for box in range(len(counts)):
        core[on_core[box] * N_CORE + LAST] += counts[box, OUTGOING]
    total = np.int64(0)
    for at in range(0, len(core), N_CORE):
        core[at + NEXT] = total * N_PACKET
        total += core[at + LAST]
        core[at + LAST] = core[at + NEXT]
    inputs = len(pace) - 1
    for i in sender:
        box = home[i]
        number = on_core[box]
        worked, out = np.int64(0), np.int64(0)
        if number != inputs:
            pace[number, SPIKES] += 1
            out = cost[OUT]
            worked = (place[i] * cost[UPDATE] + pace[number, SPIKES] * cost[SPIKE]
                      + pace[number, PACKETS] * out)
        row, before = core[number * N_CORE + LAST], pace[number, WORKED]
        for a in range(start[i], start[i + 1]):
            worked += out
            packet[row + GAP] = max(worked - before, setup[PACE])
            packet[row + SERVICE] = cost[IN] + synapses[a] * cost[EVENT]
            packet[row + TO] = on_core[ends[a]] * N_CORE
            packet[row + LEG] = _first_leg(ways, frame, tile, box, ends[a])
            before = worked
            row += N_PACKET
        pace[number, WORKED] = before
        pace[number, PACKETS] += start[i + 1] - start[i]
        core[number * N_CORE + LAST] = row
    return total


@bare_kernel
def _first_leg(ways, frame, tile, box, to):
    """Where in `via` the way from one slice to another begins; 0, which is empty, if straight."""
    pairs, first = ways
    if len(pairs) == 0:
        return np.int64(0)
    columns = frame[3]
    pair = ((tile[box, 1] * columns + tile[box, 0]) * frame[2]
            + tile[to, 1] * columns + tile[to, 0])
    at = np.searchsorted(pairs, pair)
    return first[at] if at < len(pairs) and pairs[at] == pair else np.int64(0)


@bare_kernel
def _end(core, pace, work, begin):
    """When the last core is done."""
    end = begin
    for number in range(len(pace)):
        at = number * N_CORE
        done = core[at + SENT] + work[number, SENDING] - pace[number, WORKED]
        end = max(end, done, core[at + DONE])
    return end
