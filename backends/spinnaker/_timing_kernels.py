"""Cores, routers and links of one sample, event by event; see `_core_kernels` for the cores."""

import heapq

import numpy as np
from nmcompile_backends.spinnaker._core_kernels import advance, begin_segment, earliest_spike
from nmcompile_backends.spinnaker.core_arrays import (
    AWAKE,
    BUSY,
    COLOUR,
    FIQ,
    FIRES,
    FIRST,
    HEAD,
    IDLE,
    KIND,
    LATE_UPDATES,
    LEFT_PACKETS,
    LINK,
    LOST,
    MISSED,
    N_TICKS,
    NEVER,
    NEXT,
    NOW,
    PERIOD,
    RECEIVE,
    TICK,
    TIMERS,
    USER,
    WAITING,
)

from nmcompile.arithmetic.jit import kernel


@kernel
def visit_router(visit, sender, colour, at, machine, links, events):
    """A packet that is there at time `at` takes the link to a router, passes it and is copied.

    Packets take a link in the order in which they come to it, and wait for one that another is on.
    What comes next is put among the events: cores that hear the packet, and the next routers,
    numbered behind the n cores and the inputs.
    """
    link, n = machine.link[visit], len(machine.cores)
    if link >= 0:
        at = max(at, links[link])
        links[link] = at + machine.costs[LINK]
    at += machine.latency[visit]
    for give in range(machine.give_start[visit], machine.give_start[visit + 1]):
        heapq.heappush(
            events, (at, machine.give_core[give], sender, colour, machine.give_halvings[give]))
    for place in range(machine.next_start[visit], machine.next_start[visit + 1]):
        heapq.heappush(
            events, (at, n + 1 + machine.next_visit[place], sender, colour, np.int64(0)))


@kernel
def send(sender, colour, at, machine, links, events):
    """Send a packet at time `at` to the first router of its tree, if it goes anywhere."""
    block = machine.block[sender]
    if machine.visit_start[block] < machine.visit_start[block + 1]:
        visit_router(machine.visit_start[block], sender, colour, at, machine, links, events)


@kernel
def run_to(core, until, machine, sample, window, events, counts):
    """Run a core until `until`, and send the spikes that it comes to."""
    own = sample.state[core]
    while advance(core, until, machine, sample, window, counts):
        position = machine.cores[core, FIRST] + own[FIRES]
        window.spikes[own[TICK] - window.base, position] = 1
        send(machine.sender[position], own[COLOUR], own[NOW], machine, sample.links, events)
        own[NEXT] = own[FIRES] + 1
        begin_segment(core, own[NEXT], 0, machine, sample)


@kernel
def wake(core, machine, sample, events):
    """Come back to a core when it may send next, unless it is come back to before."""
    bound = earliest_spike(core, machine, sample)
    if bound < sample.state[core, AWAKE]:
        sample.state[core, AWAKE] = bound
        heapq.heappush(events, (bound, np.int64(core), np.int64(-1), np.int64(0), np.int64(0)))


@kernel
def receive(core, sender, colour, halvings, machine, sample, counts):
    """A packet interrupts a core: it waits for its row, or is lost where no room is left."""
    own, queue = sample.state[core], sample.queue
    own[FIQ] += machine.costs[RECEIVE]
    if own[WAITING] == queue.shape[1]:
        counts[core, LOST] += 1
        return
    place = (own[HEAD] + own[WAITING]) % queue.shape[1]
    queue[core, place, 0], queue[core, place, 1], queue[core, place, 2] = sender, colour, halvings
    own[WAITING] += 1
    if own[BUSY] == 0:
        own[BUSY], own[USER] = 1, 1


@kernel
def enter(tick, lines, machine, links, events):
    """Put the spikes of a tick's inputs among the events, one by one behind earlier ones."""
    links[-1] = max(links[-1], tick * machine.costs[PERIOD])
    for line in lines:
        heapq.heappush(events, (links[-1], np.int64(len(machine.cores)), np.int64(line),
                                np.int64(tick), np.int64(0)))
        links[-1] += machine.costs[LINK]


@kernel
def is_late(core, sample, counts):
    """Whether a core is not done as the next tick begins, 0 or 1; counts what is left."""
    own = sample.state[core]
    late = own[TICK] >= 0 or own[N_TICKS] > 0
    counts[core, LATE_UPDATES] += late
    counts[core, LEFT_PACKETS] += own[WAITING]
    return 1 if late or own[BUSY] > 0 or own[KIND] != IDLE else 0


@kernel
def on_their_way(events):
    """(k, 5) packets that are among `events`, which are used up."""
    on_way, n_kept = np.empty((len(events), 5), np.int64), 0
    while events[0][0] < NEVER:
        at, core, sender, colour, halvings = heapq.heappop(events)
        if sender >= 0:
            on_way[n_kept, 0], on_way[n_kept, 1], on_way[n_kept, 2] = at, core, sender
            on_way[n_kept, 3], on_way[n_kept, 4] = colour, halvings
            n_kept += 1
    return on_way[:n_kept].copy()


@kernel
def happen(event, machine, sample, window, events, counts):
    """Let happen what is next: an input's spike, a packet at a router or core, or a core's spike.

    A core's event counts only if it is the last that was set for it.
    """
    at, core, sender, colour, halvings = event
    n = len(machine.cores)
    if core == n:
        send(sender, colour, at, machine, sample.links, events)
    elif core > n:
        visit_router(core - n - 1, sender, colour, at, machine, sample.links, events)
    elif sender >= 0:
        run_to(core, at, machine, sample, window, events, counts)
        receive(core, sender, colour, halvings, machine, sample, counts)
    elif at == sample.state[core, AWAKE]:
        sample.state[core, AWAKE] = NEVER
        run_to(core, at, machine, sample, window, events, counts)
        wake(core, machine, sample, events)


@kernel
def run(begin, given, machine, sample, window, pending, overran, counts):
    """Run the ticks from `begin` on of one sample; the packets still on their way after them.

    given    start (ticks + 1,) and lines (spikes,): what inputs send in each tick
    pending  (k, 5) time, place, sender, colour, halvings of packets that are on their way
    overran  (ticks,) cores that were not done when the next tick began, filled
    counts   (ticks, cores, N_COUNTS), added to

    A tick whose interrupt, or whose updates, find no room to wait is skipped.
    What falls on one time goes by cores, a core's own spike first, then packets by their senders;
    then inputs, and at last packets that take a link, by blocks and senders.
    """
    start, lines = given
    events = [(NEVER, np.int64(-1), np.int64(-1), np.int64(0), np.int64(0))]
    for row in range(len(pending)):
        heapq.heappush(events, (pending[row, 0], pending[row, 1], pending[row, 2], pending[row, 3],
                                pending[row, 4]))
    sample.state[:, AWAKE] = NEVER
    for step in range(len(overran)):
        until = (begin + step + 1) * machine.costs[PERIOD]
        enter(begin + step, lines[start[step] : start[step + 1]], machine, sample.links, events)
        for core in range(len(machine.cores)):
            counts[step, core, MISSED] += sample.state[core, TIMERS]
            sample.state[core, TIMERS] = 1
            wake(core, machine, sample, events)
        while events[0][0] < until:
            happen(heapq.heappop(events), machine, sample, window, events, counts[step])
        for core in range(len(machine.cores)):
            run_to(core, until, machine, sample, window, events, counts[step])
            overran[step] += is_late(core, sample, counts[step])
    return on_their_way(events)
