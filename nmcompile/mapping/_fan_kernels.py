"""Count what the spikes of a block reach."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


@parallel_kernel
def count_reached(sender, weight, owner, start, slices, synapses, parts, totals):
    """Add up spikes, packets and events by slice, in parts of their own that are summed later.

    weight    (spikes,) events that each spike stands for
    totals    (parts, n + 1, 4) int64, filled: spikes, packets out, packets in, events
    """
    share = (len(sender) + parts - 1) // parts
    for part in prange(parts):
        for spike in range(part * share, min((part + 1) * share, len(sender))):
            source, times = sender[spike], weight[spike]
            first, end = start[source], start[source + 1]
            totals[part, owner[source], 0] += times
            totals[part, owner[source], 1] += times * (end - first)
            for axon in range(first, end):
                totals[part, slices[axon], 2] += times
                totals[part, slices[axon], 3] += times * np.int64(synapses[axon])
