"""A processor that updates neurons on a timer and takes spikes as interrupts.

Times are whole picoseconds. `core_arrays` says what `Machine`, `Sample` and `Window` hold.
"""

import numpy as np
from nmcompile_backends.spinnaker._arithmetic_kernels import advance as advance_neurons
from nmcompile_backends.spinnaker._arithmetic_kernels import arrived
from nmcompile_backends.spinnaker.core_arrays import (
    ARRIVES,
    AXON,
    AXON_COLOUR,
    AXON_END,
    BUSY,
    CLOCK,
    COLOUR,
    COMING,
    COMING_COLOUR,
    CONDUCTANCE,
    DELTA,
    DONE,
    EVENTS,
    FETCH,
    FIQ,
    FIRED,
    FIRES,
    FIRST,
    FULL,
    HALVING,
    HEAD,
    HEARS,
    IDLE,
    KEPT,
    KIND,
    LATE_ROWS,
    LEFT,
    LOADED,
    LOADED_COLOUR,
    LOOKUP,
    MISSED,
    N_TICKS,
    NEVER,
    NEXT,
    NOW,
    RING,
    ROW,
    ROW_C,
    SHIFT_EXC,
    SHIFT_INH,
    SILENT,
    SIZE,
    SKIP,
    SKIPPED,
    SLOTS,
    SPIKE,
    START,
    START_C,
    SYNAPSE,
    TICK,
    TIMER,
    TIMER_C,
    TIMERS,
    TRANSFER,
    UPDATE,
    USER,
    WAITING,
    WHOLE,
    WORK,
    WORKED,
)

from nmcompile.arithmetic.jit import bare_kernel


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
