"""Recordings whose clock is not the network's own: the same spikes, some steps later or earlier."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.validation.evidence import Records

FARTHEST = 16  # steps
SPIKES = "spikes"


def shifts_of(wanted: Records, found: Records) -> dict[str, int] | None:
    """Steps by which each population of a recording comes later than it should.

    wanted, found  population -> "spikes" (samples, steps, n)

    None where nothing is shifted, or where a population of which spikes are told is not the same
    after a shift: in the steps that both sides then have, of which some spike.
    """
    shifts = {}
    for name, record in found.items():
        if SPIKES not in record or name not in wanted or not wanted[name][SPIKES].any():
            continue
        shift = _shift(wanted[name][SPIKES], record[SPIKES])
        if shift is None:
            return None
        shifts[name] = shift
    return shifts if any(shifts.values()) else None


def _shift(wanted: Array, found: Array) -> int | None:
    steps = wanted.shape[1]
    for shift in sorted(range(-FARTHEST, FARTHEST + 1), key=abs):
        left = max(0, steps - abs(shift))
        ours = wanted[:, max(0, -shift) :][:, :left]
        theirs = found[:, max(0, shift) :][:, :left]
        if ours.any() and np.array_equal(ours, theirs):
            return shift
    return None
