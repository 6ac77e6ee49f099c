"""A processor that updates neurons on a timer and takes spikes as interrupts.

Times are whole picoseconds. `Machine`, `Sample` and `Window` list what the arrays hold.
"""

from typing import Any, NamedTuple

import numpy as np
from nmcompile_backends.spinnaker._arithmetic_kernels import advance as advance_neurons
from nmcompile_backends.spinnaker._arithmetic_kernels import arrived

from nmcompile.arithmetic.jit import bare_kernel

NEVER = np.iinfo(np.int64).max
# Columns of a core's state.
(NOW, FIQ, KIND, WORK, TIMERS, USER, BUSY, ARRIVES, CLOCK, TICK, LEFT, WHOLE, NEXT, FIRES, KEPT,
 COLOUR, N_TICKS, HEAD, WAITING, AXON, AXON_END, AXON_COLOUR, COMING, COMING_COLOUR, LOADED,
 LOADED_COLOUR, AWAKE) = range(27)
N_STATE = 27
IDLE, TIMER, START, DONE, ROW = range(5)  # what interrupt runs: KIND
# Columns of a core's counts.
WORKED, EVENTS, LATE_UPDATES, LEFT_PACKETS, LATE_ROWS, SKIPPED, LOST, MISSED = range(8)
N_COUNTS = 8
# Costs in picoseconds.
(UPDATE, SPIKE, TIMER_C, RECEIVE, START_C, LOOKUP, HALVING, TRANSFER, ROW_C, SKIP, FETCH, SYNAPSE,
 LINK, PERIOD) = range(14)
# Columns of a core's description.
SIZE, FIRST, RING, SLOTS, HEARS, SHIFT_EXC, SHIFT_INH, CONDUCTANCE, DELTA = range(9)
FULL = 0xFFFF  # an entry of a ring buffer saturates there (synapses.c, `process_fixed_synapses`)
FIRED, SILENT = 1, 2  # bits of a neuron's code: whether it sends where it fires, and where not


class Machine(NamedTuple):
    """What all samples share. Neurons have positions: core by core, in each core's order.

    costs       (14,) picoseconds
    colours     ticks after which a core takes a late spike for an early one
    cores       (cores, 9) neurons, first position, first entry of its ring buffers, slots of these,
                the first tick that may bring input, shifts, conductances, delta synapses
    sender      (neurons,) number of the sender at each position
    accums      (10 neurons,) parameters as in arithmetic.py's lists, (10, size) core by core
    fractions   (4 neurons,) likewise
    nothing     int32 zeros, of all that arrives at a core
    axon_start, axon_core, axon_synapses, axon_delay
                axons of each sender (CSR), by rising core: core, synapses, delay as in its row
    row_start, row_entry, row_weight
                synapses of each axon (CSR): place in a slot of the ring buffers, magnitude
    block       of each sender, whose packets go one way
    visit_start, link, latency, next_start, next_visit, give_start, give_core, give_halvings
                visits of each block (CSR), the nearest first; their links (-1 for none), latencies,
                the visits behind them (CSR), cores that hear them (CSR) and the halvings of their
                tables until the block is found
    """

    costs: Any
    colours: Any
    cores: Any
    sender: Any
    accums: Any
    fractions: Any
    nothing: Any
    axon_start: Any
    axon_core: Any
    axon_synapses: Any
    axon_delay: Any
    row_start: Any
    row_entry: Any
    row_weight: Any
    block: Any
    visit_start: Any
    link: Any
    latency: Any
    next_start: Any
    next_visit: Any
    give_start: Any
    give_core: Any
    give_halvings: Any


class Sample(NamedTuple):
    """Where the cores of one sample are; changed in place.

    state   (cores, N_STATE)
    ticks   (cores, ticks that wait)
    queue   (cores, packets that wait, 3): sender, colour, halvings
    links   (links + 1,) until when each is taken, at last the inputs' way in
    ring    (entries,) uint16, for each core (slots, 2, size)
    now     exc, inh, v, hold: (neurons,) int32 each, exc and inh with what timers took for them
    after   the same behind the update of the tick at hand
    sends   (neurons,) int32 whether each sends in that update
    """

    state: Any
    ticks: Any
    queue: Any
    links: Any
    ring: Any
    now: Any
    after: Any
    sends: Any


class Window(NamedTuple):
    """What is told of ticks, from `base` on, whose updates may still go on.

    codes   (ticks or 0, neurons) uint8 FIRED and SILENT; (0, neurons) where each sends as it fires
    spikes  (ticks, neurons) uint8, filled
    kept    (4, ticks or 0, neurons) int32 exc, inh, v, hold behind the updates, filled
    done    (ticks, cores) uint8 whether a core has updated all its neurons, filled
    """

    base: Any
    codes: Any
    spikes: Any
    kept: Any
    done: Any


@bare_kernel
def axons_into(sender, core, machine):
    """The range of the axons of `sender` that end in `core`; a sender's rise by core."""
    first, last = machine.axon_start[sender], machine.axon_start[sender + 1]
    while first < last and machine.axon_core[first] < core:
        first += 1
    end = first
    while end < last and machine.axon_core[end] == core:
        end += 1
    return first, end


@bare_kernel
def find_row(core, machine, sample):
    """Look for the next row of a core; what that takes.

    Another row of the spike at hand comes first, then the spikes that wait.
    """
    own, queue, costs, work = sample.state[core], sample.queue, machine.costs, np.int64(0)
    own[COMING] = -1
    if own[AXON] < own[AXON_END]:
        work += costs[LOOKUP]
    while own[AXON] == own[AXON_END] and own[WAITING] > 0:
        sender, colour, halvings = queue[core, own[HEAD]]
        own[HEAD] = (own[HEAD] + 1) % queue.shape[1]
        own[WAITING] -= 1
        work += costs[LOOKUP] + halvings * costs[HALVING]
        own[AXON], own[AXON_END] = axons_into(sender, core, machine)
        own[AXON_COLOUR] = colour
    if own[AXON] < own[AXON_END]:
        own[COMING], own[COMING_COLOUR] = own[AXON], own[AXON_COLOUR]
        own[AXON] += 1
        work += costs[TRANSFER]
    return work


@bare_kernel
def add_row(core, machine, sample, counts):
    """Add the synapses of a row that was fetched; what that takes.

    The spike's colour says how late it is, as far as colours go. Synapses whose time is over are
    left out; a delay as long as the ring buffers stands as 0 in the row and never is (synapses.c,
    `process_fixed_synapses`).
    """
    own, place = sample.state[core], machine.cores[core]
    axon = own[LOADED]
    late = (own[CLOCK] - own[LOADED_COLOUR]) % machine.colours
    delay, synapses = machine.axon_delay[axon], machine.axon_synapses[axon]
    if late > 0:
        counts[core, LATE_ROWS] += 1
        if 0 < delay <= late:
            counts[core, SKIPPED] += synapses
            return machine.costs[ROW_C] + synapses * machine.costs[SKIP]
    counts[core, EVENTS] += synapses
    slot = (own[CLOCK] - late + delay) & (place[SLOTS] - 1)
    begin = place[RING] + slot * 2 * place[SIZE]
    for synapse in range(machine.row_start[axon], machine.row_start[axon + 1]):
        entry = begin + machine.row_entry[synapse]
        total = np.int64(sample.ring[entry]) + np.int64(machine.row_weight[synapse])
        sample.ring[entry] = min(total, FULL)
    return machine.costs[ROW_C] + synapses * machine.costs[SYNAPSE]


@bare_kernel
def evaluate(core, machine, sample, window):
    """What the neurons of a core become in the tick that it updates, and which of them send."""
    place, tick = machine.cores[core], sample.state[core, TICK]
    n, first = place[SIZE], place[FIRST]
    end = first + n
    for kind in range(4):
        for i in range(first, end):
            sample.after[kind][i] = sample.now[kind][i]
    sends = sample.sends[first:end]
    advance_neurons(
        sample.after[0][first:end].reshape((1, n)), sample.after[1][first:end].reshape((1, n)),
        sample.after[2][first:end].reshape((1, n)), sample.after[3][first:end].reshape((1, n)),
        machine.nothing[: 2 * n].reshape((1, 1, 2 * n)), sends.reshape((1, 1, n)),
        machine.accums[10 * first : 10 * end].reshape((10, n)),
        machine.fractions[4 * first : 4 * end].reshape((4, n)),
        place[SHIFT_EXC], place[SHIFT_INH], place[CONDUCTANCE] != 0, place[DELTA] != 0)
    if len(window.codes):
        codes = window.codes[tick - window.base, first:end]
        for i in range(n):
            sends[i] = 1 if codes[i] & (FIRED if sends[i] else SILENT) else 0


@bare_kernel
def begin_segment(core, fires, elapsed, machine, sample):
    """Set what is left to the next spike of the tick that a core updates, or to its end.

    fires    the first neuron that may send it
    elapsed  of the time since its neurons up to NEXT were updated
    """
    own, costs, place = sample.state[core], machine.costs, machine.cores[core]
    while fires < place[SIZE] and sample.sends[place[FIRST] + fires] == 0:
        fires += 1
    own[FIRES] = fires
    if fires < place[SIZE]:
        own[WHOLE] = (fires + 1 - own[NEXT]) * costs[UPDATE] + costs[SPIKE]
    else:
        own[WHOLE] = (fires - own[NEXT]) * costs[UPDATE]
    own[LEFT] = own[WHOLE] - elapsed


@bare_kernel
def keep(core, end, machine, sample, window):
    """The updates of a core's neurons up to `end` are done: they are what they became."""
    own, first = sample.state[core], machine.cores[core, FIRST]
    begin, end = first + own[KEPT], first + end
    own[KEPT] = max(own[KEPT], end - first)
    for kind in range(4):
        for i in range(begin, end):
            sample.now[kind][i] = sample.after[kind][i]
            if window.kept.shape[1]:
                window.kept[kind, own[TICK] - window.base, i] = sample.after[kind][i]


@bare_kernel
def next_tick(core, machine, sample, window):
    """Begin with the first of the ticks that wait for their updates, if there is one."""
    own, ticks = sample.state[core], sample.ticks
    own[TICK], own[NEXT], own[KEPT] = -1, 0, 0
    if own[N_TICKS] > 0:
        own[TICK] = ticks[core, 0]
        own[N_TICKS] -= 1
        for place in range(own[N_TICKS]):
            ticks[core, place] = ticks[core, place + 1]
        evaluate(core, machine, sample, window)
        begin_segment(core, 0, 0, machine, sample)


@bare_kernel
def end_tick(core, machine, sample, window):
    """All neurons of a core are updated: its spikes have the next colour (neuron.c)."""
    own = sample.state[core]
    keep(core, machine.cores[core, SIZE], machine, sample, window)
    window.done[own[TICK] - window.base, core] = 1
    own[COLOUR] += 1
    next_tick(core, machine, sample, window)


@bare_kernel
def take(core, machine, sample):
    """Add the sums of a core's slot to its neurons' inputs, and empty it (neuron.c)."""
    own, place = sample.state[core], machine.cores[core]
    n, first, shifts = place[SIZE], place[FIRST], place[SHIFT_EXC : SHIFT_INH + 1]
    begin = place[RING] + (own[CLOCK] & (place[SLOTS] - 1)) * 2 * n
    gains = machine.fractions[4 * first : 4 * (first + n)].reshape((4, n))
    for kind in range(2):
        sums, inputs = sample.ring[begin + kind * n :], sample.now[kind][first : first + n]
        for i in range(n):
            if sums[i] > 0 and own[CLOCK] >= place[HEARS]:
                inputs[i] = arrived(inputs[i], sums[i], gains[1 + 2 * kind, i], shifts[kind],
                                    place[DELTA] != 0)
            sums[i] = 0


@bare_kernel
def take_amid_updates(core, machine, sample, window):
    """As `take`, where a core is at its updates: those ahead have the new sums, too.

    A neuron whose update the timer interrupts counts as one ahead.
    """
    own, each = sample.state[core], machine.costs[UPDATE]
    elapsed = own[WHOLE] - own[LEFT]
    end = min(own[FIRES] + 1, machine.cores[core, SIZE])
    if each > 0:
        end = min(end, own[NEXT] + elapsed // each)
    keep(core, end, machine, sample, window)
    take(core, machine, sample)
    evaluate(core, machine, sample, window)
    if end <= own[FIRES]:
        begin_segment(core, end, elapsed, machine, sample)


@bare_kernel
def timed(core, machine, sample, window, counts):
    """What a timer's interrupt does."""
    own, ticks = sample.state[core], sample.ticks
    if own[TICK] >= 0:
        take_amid_updates(core, machine, sample, window)
    else:
        take(core, machine, sample)
    if own[N_TICKS] == ticks.shape[1]:
        counts[core, MISSED] += 1
        return
    ticks[core, own[N_TICKS]] = own[CLOCK]
    own[N_TICKS] += 1
    if own[TICK] < 0:
        next_tick(core, machine, sample, window)


@bare_kernel
def finish(core, machine, sample, window, counts):
    """What follows an interrupt's phase that has just ended."""
    own, costs = sample.state[core], machine.costs
    kind = own[KIND]
    own[KIND] = IDLE
    if kind == TIMER:
        timed(core, machine, sample, window, counts)
        return
    if kind == ROW:
        return
    if own[COMING] >= 0:
        own[ARRIVES] = own[NOW] + costs[FETCH]
    elif own[WAITING] > 0:  # came while others were looked for
        own[KIND], own[WORK] = kind, find_row(core, machine, sample)
        return
    else:
        own[BUSY] = 0
    if kind == DONE:
        own[KIND], own[WORK] = ROW, add_row(core, machine, sample, counts)


@bare_kernel
def interrupt(core, machine, sample):
    """Begin the most urgent interrupt that waits; False if none does."""
    own, costs = sample.state[core], machine.costs
    if own[TIMERS] > 0:
        own[TIMERS] = 0
        own[CLOCK] += 1
        own[KIND], own[WORK] = TIMER, costs[TIMER_C]
    elif own[ARRIVES] <= own[NOW]:
        own[ARRIVES] = NEVER
        own[LOADED], own[LOADED_COLOUR] = own[COMING], own[COMING_COLOUR]
        own[KIND], own[WORK] = DONE, find_row(core, machine, sample)
    elif own[USER] > 0:
        own[USER] = 0
        own[KIND] = START
        own[WORK] = costs[START_C] + find_row(core, machine, sample)
    else:
        return False
    return True


@bare_kernel
def advance(core, until, machine, sample, window, counts):
    """Run a core until `until`, or to a spike that it sends: then True.

    Packets come before interrupts, timer, transfers and the start of fetching in this order, and
    these before updates, which they interrupt; an interrupt runs to its end.
    """
    own = sample.state[core]
    while True:
        if own[FIQ] == 0 and own[KIND] != IDLE and own[WORK] == 0:
            finish(core, machine, sample, window, counts)
            continue
        if own[FIQ] == 0 and own[KIND] == IDLE and own[TICK] >= 0 and own[LEFT] == 0:
            if own[FIRES] < machine.cores[core, SIZE]:
                return True
            end_tick(core, machine, sample, window)
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
        elif interrupt(core, machine, sample):
            continue
        elif own[TICK] >= 0:
            spent = min(own[LEFT], min(until, own[ARRIVES]) - now)
            own[LEFT] -= spent
        else:
            own[NOW] = min(until, own[ARRIVES])
            continue
        own[NOW] += spent
        counts[core, WORKED] += spent


@bare_kernel
def earliest_spike(core, machine, sample):
    """A time ahead of which a core sends nothing, at least a picosecond from now.

    What a timer's interrupt brings may let a neuron fire that did not; until it is over, nothing is
    known of what comes behind it.
    """
    own = sample.state[core]
    ready = own[NOW] + own[FIQ] + (own[WORK] if own[KIND] != IDLE else 0)
    if own[TIMERS] > 0:
        ready += machine.costs[TIMER_C]
    elif own[KIND] != TIMER:
        if own[TICK] < 0:
            return NEVER
        ready += own[LEFT]
    return max(ready, own[NOW] + 1)
