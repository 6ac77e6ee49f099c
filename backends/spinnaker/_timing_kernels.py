"""Processors that update neurons on a timer and take spikes as interrupts, event by event.

Times are whole picoseconds. `sample` lists what the arrays hold.
"""

import heapq

import numpy as np

from nmcompile.arithmetic.jit import kernel

NEVER = np.iinfo(np.int64).max
# Columns of a core's state.
(NOW, FIQ, KIND, WORK, TIMERS, USER, BUSY, ARRIVES, CLOCK, TICK, LEFT, NEXT_FIRED, N_TICKS, HEAD,
 WAITING, AXON, AXON_END, AXON_TICK, COMING, COMING_TICK, LOADED, LOADED_TICK, AWAKE) = range(23)
N_STATE = 23
IDLE, TIMER, START, DONE, ROW = range(5)  # what interrupt runs: KIND
# Columns of a core's counts.
WORKED, LATE_UPDATES, LEFT_PACKETS, LATE_ROWS, SKIPPED, LOST, MISSED = range(7)
N_COUNTS = 7
# Costs in picoseconds.
(UPDATE, SPIKE, TIMER_C, RECEIVE, START_C, LOOKUP, HALVING, TRANSFER, ROW_C, FETCH, SYNAPSE, LINK,
 PERIOD) = range(13)


@kernel
def spikes_of(core, tick, told):
    """The range of the spikes of a core in a tick that it still updates; see `sample`."""
    start, _, kept, begin = told
    n, slots = kept.shape
    group = n * slots + (tick - begin) * (n + 1) + core
    if tick < begin:
        slot = 0
        while kept[core, slot] != tick:
            slot += 1
        group = core * slots + slot
    return start[group], start[group + 1]


@kernel
def still_asked(told, state, ticks):
    """The spikes of the ticks that cores still update: start, spikes, and the ticks, as `told`.

    These are the tick at hand, those that wait, and that of a timer's interrupt that goes on.
    """
    n, slots = told[2].shape
    kept, start = np.full((n, slots), -1, np.int64), np.zeros(n * slots + 1, np.int64)
    for core in range(n):
        waiting = state[core, N_TICKS]
        kept[core, 0] = state[core, TICK]
        kept[core, 1 : 1 + waiting] = ticks[core, :waiting]
        if state[core, KIND] == TIMER:
            kept[core, 1 + waiting] = state[core, CLOCK]
        for slot in range(slots):
            group = core * slots + slot
            start[group + 1] = start[group]
            if kept[core, slot] >= 0:
                first, last = spikes_of(core, kept[core, slot], told)
                start[group + 1] += last - first
    fired = np.empty((start[-1], 2), np.int64)
    for core in range(n):
        for slot in range(slots):
            group = core * slots + slot
            if kept[core, slot] >= 0:
                first, last = spikes_of(core, kept[core, slot], told)
                fired[start[group] : start[group + 1]] = told[1][first:last]
    return start, fired, kept


@kernel
def axons_into(sender, core, fan):
    """The range of the axons of `sender` that end in `core`; a sender's rise by core."""
    start, ends = fan[0], fan[1]
    first, last = start[sender], start[sender + 1]
    while first < last and ends[first] < core:
        first += 1
    end = first
    while end < last and ends[end] == core:
        end += 1
    return first, end


@kernel
def find_row(core, state, queue, fan, costs):
    """Look for the next row of a core; what that takes.

    Another row of the spike at hand comes first, then the spikes that wait.
    """
    own, work = state[core], np.int64(0)
    own[COMING] = -1
    if own[AXON] < own[AXON_END]:
        work += costs[LOOKUP]
    while own[AXON] == own[AXON_END] and own[WAITING] > 0:
        sender, tick, halvings = queue[core, own[HEAD]]
        own[HEAD] = (own[HEAD] + 1) % queue.shape[1]
        own[WAITING] -= 1
        work += costs[LOOKUP] + halvings * costs[HALVING]
        own[AXON], own[AXON_END] = axons_into(sender, core, fan)
        own[AXON_TICK] = tick
    if own[AXON] < own[AXON_END]:
        own[COMING], own[COMING_TICK] = own[AXON], own[AXON_TICK]
        own[AXON] += 1
        work += costs[TRANSFER]
    return work


@kernel
def begin_segment(core, state, told, neurons, costs):
    """Set what is left to the next spike of the tick that a core updates, or to its end."""
    own, fired = state[core], told[1]
    first, last = spikes_of(core, own[TICK], told)
    place = first + own[NEXT_FIRED]
    before = fired[place - 1, 0] + 1 if own[NEXT_FIRED] > 0 else 0
    if place < last:
        own[LEFT] = (fired[place, 0] + 1 - before) * costs[UPDATE] + costs[SPIKE]
    else:
        own[LEFT] = (neurons[core] - before) * costs[UPDATE]


@kernel
def next_tick(core, state, ticks):
    """Begin with the first of the ticks that wait for their updates, if there is one."""
    own = state[core]
    own[TICK], own[NEXT_FIRED] = -1, 0
    if own[N_TICKS] > 0:
        own[TICK] = ticks[core, 0]
        own[N_TICKS] -= 1
        for place in range(own[N_TICKS]):
            ticks[core, place] = ticks[core, place + 1]


@kernel
def finish(core, state, ticks, queue, fan, costs, counts, colours):
    """What follows an interrupt's phase that has just ended; True where a tick's updates begin."""
    own = state[core]
    kind = own[KIND]
    own[KIND] = IDLE
    if kind == TIMER:
        if own[N_TICKS] == ticks.shape[1]:
            counts[core, MISSED] += 1
            return False
        ticks[core, own[N_TICKS]] = own[CLOCK]
        own[N_TICKS] += 1
        if own[TICK] < 0:
            next_tick(core, state, ticks)
            return True
        return False
    if kind == ROW:
        return False
    if own[COMING] >= 0:
        own[ARRIVES] = own[NOW] + costs[FETCH]
    elif own[WAITING] > 0:  # came while others were looked for
        own[KIND], own[WORK] = kind, find_row(core, state, queue, fan, costs)
        return False
    else:
        own[BUSY] = 0
    if kind == DONE:
        axon, late = own[LOADED], own[CLOCK] - own[LOADED_TICK]
        own[KIND], own[WORK] = ROW, costs[ROW_C] + fan[2][axon] * costs[SYNAPSE]
        if late > 0:
            counts[core, LATE_ROWS] += 1
            if 0 < fan[3][axon] <= late % colours:
                counts[core, SKIPPED] += fan[2][axon]
    return False


@kernel
def interrupt(core, state, queue, fan, costs):
    """Begin the most urgent interrupt that waits; False if none does."""
    own = state[core]
    if own[TIMERS] > 0:
        own[TIMERS], own[CLOCK] = 0, own[NOW] // costs[PERIOD]
        own[KIND], own[WORK] = TIMER, costs[TIMER_C]
    elif own[ARRIVES] <= own[NOW]:
        own[ARRIVES] = NEVER
        own[LOADED], own[LOADED_TICK] = own[COMING], own[COMING_TICK]
        own[KIND], own[WORK] = DONE, find_row(core, state, queue, fan, costs)
    elif own[USER] > 0:
        own[USER] = 0
        own[KIND] = START
        own[WORK] = costs[START_C] + find_row(core, state, queue, fan, costs)
    else:
        return False
    return True


@kernel
def advance(core, until, state, ticks, queue, fan, costs, counts, colours, told, neurons):
    """Run a core until `until`, or to a spike that it sends: then True.

    Packets come before interrupts, timer, transfers and the start of fetching in this order, and
    these before updates, which they interrupt; an interrupt runs to its end.
    """
    own = state[core]
    while True:
        if own[FIQ] == 0 and own[KIND] != IDLE and own[WORK] == 0:
            if finish(core, state, ticks, queue, fan, costs, counts, colours):
                begin_segment(core, state, told, neurons, costs)
            continue
        if own[FIQ] == 0 and own[KIND] == IDLE and own[TICK] >= 0 and own[LEFT] == 0:
            first, last = spikes_of(core, own[TICK], told)
            if first + own[NEXT_FIRED] < last:
                return True
            next_tick(core, state, ticks)
            if own[TICK] >= 0:
                begin_segment(core, state, told, neurons, costs)
            continue
        now = own[NOW]
        if now >= until:
            return False
        if own[FIQ] > 0:
            spent = min(own[FIQ], until - now)
            own[FIQ] -= spent
        elif own[KIND] != IDLE:
            spent = min(own[WORK], until - now)
            own[WORK] -= spent
        elif interrupt(core, state, queue, fan, costs):
            continue
        elif own[TICK] >= 0:
            spent = min(own[LEFT], min(until, own[ARRIVES]) - now)
            own[LEFT] -= spent
        else:
            own[NOW] = min(until, own[ARRIVES])
            continue
        own[NOW] += spent
        counts[core, WORKED] += spent


@kernel
def earliest_spike(core, state):
    """A time ahead of which a core sends nothing, at least a picosecond from now."""
    own = state[core]
    ready = own[NOW] + own[FIQ] + (own[WORK] if own[KIND] != IDLE else 0)
    if own[TICK] < 0 and own[TIMERS] == 0 and own[KIND] != TIMER:
        return NEVER
    return max(ready + (own[LEFT] if own[TICK] >= 0 else 0), own[NOW] + 1)


@kernel
def visit_router(visit, sender, tick, at, n, tree, costs, links, events):
    """A packet that is there at time `at` takes the link to a router, passes it and is copied.

    Packets take a link in the order in which they come to it, and wait for one that another is on.
    links (links + 1,) says until when each is taken. What comes next is put among the events: cores
    that hear the packet, and the next routers, numbered behind the n cores and the inputs.
    """
    _, link, latency, next_start, next_visit, give_start, give_core, give_halvings = tree
    if link[visit] >= 0:
        at = max(at, links[link[visit]])
        links[link[visit]] = at + costs[LINK]
    at += latency[visit]
    for give in range(give_start[visit], give_start[visit + 1]):
        heapq.heappush(events, (at, give_core[give], sender, tick, give_halvings[give]))
    for place in range(next_start[visit], next_start[visit + 1]):
        heapq.heappush(events, (at, n + 1 + next_visit[place], sender, tick, np.int64(0)))


@kernel
def send(block, sender, tick, at, n, tree, costs, links, events):
    """Send a packet at time `at` to the first router of its tree, if it goes anywhere."""
    if tree[0][block] < tree[0][block + 1]:
        visit_router(tree[0][block], sender, tick, at, n, tree, costs, links, events)


@kernel
def run_to(core, until, told, senders, tree, links, events, state, ticks, queue, fan, costs, counts,
           colours, neurons):
    """Run a core until `until`, and send the spikes that it comes to."""
    own = state[core]
    while advance(core, until, state, ticks, queue, fan, costs, counts, colours, told, neurons):
        first, _ = spikes_of(core, own[TICK], told)
        sender = told[1][first + own[NEXT_FIRED], 1]
        send(senders[sender], sender, own[TICK], own[NOW], len(neurons), tree, costs, links, events)
        own[NEXT_FIRED] += 1
        begin_segment(core, state, told, neurons, costs)


@kernel
def wake(core, state, events):
    """Come back to a core when it may send next; a core waits for one such event at a time."""
    bound = earliest_spike(core, state)
    state[core, AWAKE] = 1 if bound < NEVER else 0
    if bound < NEVER:
        heapq.heappush(events, (bound, np.int64(core), np.int64(-1), np.int64(0), np.int64(0)))


@kernel
def receive(core, sender, tick, halvings, state, queue, costs, counts):
    """A packet interrupts a core: it waits for its row, or is lost where no room is left."""
    own = state[core]
    own[FIQ] += costs[RECEIVE]
    if own[WAITING] == queue.shape[1]:
        counts[core, LOST] += 1
        return
    place = (own[HEAD] + own[WAITING]) % queue.shape[1]
    queue[core, place, 0], queue[core, place, 1], queue[core, place, 2] = sender, tick, halvings
    own[WAITING] += 1
    if own[BUSY] == 0:
        own[BUSY], own[USER] = 1, 1


@kernel
def enter(tick, told, costs, links, events):
    """Put the spikes of a tick's inputs among the events, one by one behind earlier ones."""
    start, fired, kept, begin = told
    n = len(kept)
    group = kept.size + (tick - begin) * (n + 1) + n
    links[-1] = max(links[-1], tick * costs[PERIOD])
    for place in range(start[group], start[group + 1]):
        heapq.heappush(events, (links[-1], np.int64(n), fired[place, 1], np.int64(tick),
                                np.int64(0)))
        links[-1] += costs[LINK]


@kernel
def is_late(core, state, counts):
    """Whether a core is not done as the next tick begins, 0 or 1; counts what is left."""
    own = state[core]
    late = own[TICK] >= 0 or own[N_TICKS] > 0
    counts[core, LATE_UPDATES] += late
    counts[core, LEFT_PACKETS] += own[WAITING]
    return 1 if late or own[BUSY] > 0 or own[KIND] != IDLE else 0


@kernel
def on_their_way(events):
    """(k, 5) packets that are among `events`, which are used up."""
    on_way, n_kept = np.empty((len(events), 5), np.int64), 0
    while events[0][0] < NEVER:
        at, core, sender, sent_in, halvings = heapq.heappop(events)
        if sender >= 0:
            on_way[n_kept, 0], on_way[n_kept, 1], on_way[n_kept, 2] = at, core, sender
            on_way[n_kept, 3], on_way[n_kept, 4] = sent_in, halvings
            n_kept += 1
    return on_way[:n_kept].copy()


@kernel
def sample(end, told, senders, neurons, tree, fan, costs, colours, state,
           ticks, queue, links, pending, overran, counts):
    """Run the ticks `begin` to `end` of one sample.

    Returns packets still on their way after them, and start, fired and kept of the ticks that are
    still asked for.

    told        start (groups + 1,) and fired (spikes, 2: place of the neuron on its core, sender):
                spikes in groups, first those of each core in the ticks kept (cores, slots; -1 for
                none), which it began and has still to update, then those of each tick from begin
                on, by core, those of input lines last
    senders     block of each sender, whose packets go one way
    tree        visits of each block (CSR), the nearest first; their links (-1 for none), latencies,
                the visits behind them (CSR), cores that hear them (CSR) and the halvings of their
                tables until the block is found
    fan         axons of each sender (CSR), by rising core: core, synapses, delay as in its row
    colours     after so many ticks a core takes a late spike for an early one
    state       (cores, N_STATE), ticks (cores, ticks that wait), queue (cores, packets that wait,
                3: sender, tick, halvings) and links (links + 1,: until when each is taken, at
                last the inputs' way in), changed in place
    pending     (k, 5) time, place, sender, tick, halvings of packets that are on their way
    overran     (ticks,) cores that were not done when the next tick began, filled
    counts      (cores, N_COUNTS), added to

    A tick whose interrupt, or whose updates, find no room to wait is skipped.
    What falls on one time goes by cores, a core's own spike first, then packets by their senders;
    then inputs, and at last packets that take a link, by blocks and senders.
    """
    n, begin = len(neurons), told[3]
    events = [(NEVER, np.int64(-1), np.int64(-1), np.int64(0), np.int64(0))]
    for row in range(len(pending)):
        heapq.heappush(events, (pending[row, 0], pending[row, 1], pending[row, 2], pending[row, 3],
                                pending[row, 4]))
    state[:, AWAKE] = 0
    for tick in range(begin, end):
        until = (tick + 1) * costs[PERIOD]
        enter(tick, told, costs, links, events)
        for core in range(n):
            counts[core, MISSED] += state[core, TIMERS]
            state[core, TIMERS] = 1
            if state[core, AWAKE] == 0:
                wake(core, state, events)
        while events[0][0] < until:
            at, core, sender, sent_in, halvings = heapq.heappop(events)
            if core == n:  # an input's line
                send(senders[sender], sender, sent_in, at, n, tree, costs, links, events)
                continue
            if core > n:  # a packet on its way
                visit_router(core - n - 1, sender, sent_in, at, n, tree, costs, links, events)
                continue
            run_to(core, at, told, senders, tree, links, events, state, ticks, queue, fan, costs,
                   counts, colours, neurons)
            if sender >= 0:
                receive(core, sender, sent_in, halvings, state, queue, costs, counts)
            else:
                wake(core, state, events)
        for core in range(n):
            run_to(core, until, told, senders, tree, links, events, state, ticks, queue, fan, costs,
                   counts, colours, neurons)
            overran[tick - begin] += is_late(core, state, counts)
    return on_their_way(events), still_asked(told, state, ticks)
