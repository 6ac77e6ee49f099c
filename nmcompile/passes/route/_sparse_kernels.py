"""Axons of a sparse map: synapses of each source, in the order of the slices that they end in."""

import numpy as np

from nmcompile.arithmetic.jit import kernel

SHORT = 48  # synapses that are sorted by insertion


@kernel
def sort_rows(start, target, owner, order):
    """Fill `order` with synapse numbers by source, then slice, then number; the axons in all.

    start, target  of the sparse map (CSR by source)
    owner          (n_targets,) slice of each neuron
    """
    axons = 0
    for source in range(len(start) - 1):
        low, high = start[source], start[source + 1]
        if high - low <= SHORT:
            for k in range(low, high):
                slice_, place = owner[target[k]], k
                while place > low and owner[target[order[place - 1]]] > slice_:
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = k
        else:
            ends = owner[target[low:high]]
            order[low:high] = low + np.argsort(ends, kind="mergesort")
        for k in range(low, high):
            if k == low or owner[target[order[k]]] != owner[target[order[k - 1]]]:
                axons += 1
    return axons


@kernel
def fill_axons(start, target, owner, order, axon_start, ends, synapses, first):
    """The axons of sorted rows: where each source's begin, and slice, synapses, first of each."""
    axon = 0
    for source in range(len(start) - 1):
        axon_start[source] = axon
        for k in range(start[source], start[source + 1]):
            slice_ = owner[target[order[k]]]
            if k == start[source] or slice_ != ends[axon - 1]:
                ends[axon], synapses[axon], first[axon] = slice_, 0, k
                axon += 1
            synapses[axon - 1] += 1
    axon_start[len(start) - 1] = axon
