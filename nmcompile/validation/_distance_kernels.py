"""Distances of spike trains, train after train of flat lists."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def van_rossum(start, time, extra, tau, out):
    """Write the distance of each train to `out`.

    start  (trains + 1,) int64; what differs in train i is start[i]:start[i + 1], times rising
    time   (k,) steps; extra  (k,) what the second train sent there more than the first
    """
    for train in range(len(out)):
        total, trace, last = 0.0, 0.0, 0.0
        for k in range(start[train], start[train + 1]):
            trace *= np.exp((last - time[k]) / tau)
            total += extra[k] * (extra[k] + 2.0 * trace)
            trace += extra[k]
            last = time[k]
        out[train] = np.sqrt(max(total, 0.0) / 2.0)


@kernel
def victor_purpura(start, time, extra, cost, out):
    """Write the distance of each train to `out`; `extra` are whole numbers of spikes.

    Spikes that both trains have at one time cost nothing in the best of all ways, so that only
    what differs counts.
    """
    for train in range(len(out)):
        begin, end = start[train], start[train + 1]
        more, fewer = 0, 0
        for k in range(begin, end):
            more += max(extra[k], 0)
            fewer += max(-extra[k], 0)
        second, first = np.empty(more), np.empty(fewer)
        i, j = 0, 0
        for k in range(begin, end):
            for _ in range(extra[k]):
                second[i] = time[k]
                i += 1
            for _ in range(-extra[k]):
                first[j] = time[k]
                j += 1
        row = np.arange(fewer + 1).astype(np.float64)
        for i in range(more):
            diagonal = row[0]
            row[0] = i + 1.0
            for j in range(fewer):
                shifted = diagonal + cost * abs(second[i] - first[j])
                diagonal = row[j + 1]
                row[j + 1] = min(shifted, diagonal + 1.0, row[j] + 1.0)
        out[train] = row[fewer]
