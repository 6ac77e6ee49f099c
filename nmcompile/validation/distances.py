"""How far two recordings of spikes are from each other, train by train.

A train is what one neuron sends in one sample. With d the spikes of the second train less those of
the first, step by step:

count           the magnitude of the sum of d
van Rossum      sqrt((1 / tau) times the integral of (d convolved with exp(-t / tau))^2), tau in
                steps: sqrt(sum over i, j of d_i d_j exp(-|t_i - t_j| / tau) / 2). A spike that one
                train lacks is sqrt(1/2) (van Rossum 2001, Neural Computation 13:751, equation 2)
Victor-Purpura  the least cost of turning one train into the other: 1 for a spike inserted or
                deleted, q for each step that one is moved (Victor and Purpura 1996, J Neurophysiol
                76:1310; 1997, Network 8:127; their D^spike[q])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Distances:
    """The distances of the trains that differ; those of all others are 0.

    trains  how many there are in all
    Each array is (k,) float64, a value for each train that differs.
    """

    trains: int
    count: Array
    van_rossum: Array
    victor_purpura: Array


def distances(first: Array, second: Array, *, tau: float, cost: float, graded: bool) -> Distances:
    """The distances of two recordings of one population.

    first, second  (samples, steps, n) spikes; payloads are numbers of spikes
    tau            time constant of van Rossum's filter in steps, above 0
    cost           q of Victor and Purpura for each step
    graded         payloads are values: they weigh in counts and van Rossum's filter, and are one
                   spike each in Victor and Purpura's
    """
    from nmcompile.validation._distance_kernels import van_rossum, victor_purpura  # numba

    samples, _, n = first.shape
    whole = second.astype(np.int64) - first
    train, time, extra = _differences(whole)
    start = np.flatnonzero(np.diff(train, prepend=-1))
    counts = np.abs(np.add.reduceat(extra, start)) if len(start) else np.zeros(0)
    bounds, rossum = np.append(start, len(train)), np.zeros(len(start))
    van_rossum(bounds, time, extra, tau, rossum)
    if graded:
        train, time, extra = _differences((second != 0).astype(np.int64) - (first != 0))
        start = np.flatnonzero(np.diff(train, prepend=-1))
        bounds = np.append(start, len(train))
    purpura = np.zeros(len(start))
    victor_purpura(bounds, time, extra, cost, purpura)
    return Distances(trains=samples * n, count=counts.astype(np.float64), van_rossum=rossum,
                     victor_purpura=purpura)


def _differences(whole: Array) -> tuple[Array, Array, Array]:
    """Train, step and value of what is not 0 in (samples, steps, n), train by train."""
    by_train = np.ascontiguousarray(whole.swapaxes(1, 2)).reshape(-1, whole.shape[1])
    train, time = np.nonzero(by_train)
    return train, time, by_train[train, time]
