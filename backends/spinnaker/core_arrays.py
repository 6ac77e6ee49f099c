"""What the kernels of SpiNNaker's cores work on: columns of arrays, and what these hold.

Times are whole picoseconds.
"""

from typing import Any, NamedTuple

import numpy as np

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
