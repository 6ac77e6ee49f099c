"""What is to be routed: slices that send, and the cores that each must reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """Source slices and their targets, chips by index.

    chip     (s,) int32    chip of each source slice
    neurons  (s,) int64    keys that it sends
    start    (s+1,) int64  targets of source i are start[i]:start[i+1]
    target   (t,) int32    chip, ascending in each source
    cores    (t,) uint32   bit p is set where core p of the chip receives
    """

    chip: Array
    neurons: Array
    start: Array
    target: Array
    cores: Array

    def __len__(self) -> int:
        return len(self.chip)


def demand(chip: Array, core: Array, neurons: Array, source: Array, target: Array) -> Demand:
    """The demand of slices on chips and cores, each a source.

    chip, core, neurons  (s,) place and size of each slice
    source, target       (pairs,) slices of which the first sends to the second
    """
    pair = source.astype(np.int64) << 32 | chip[target]
    order = np.argsort(pair)
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    bits = np.left_shift(1, core, dtype=np.int64)[target[order]]
    cores = np.bitwise_or.reduceat(bits, first) if len(first) else bits
    return Demand(
        chip=chip.astype(np.int32),
        neurons=neurons.astype(np.int64),
        start=np.searchsorted(pair[first] >> 32, np.arange(len(chip) + 1)),
        target=pair[first].astype(np.int32),
        cores=cores.astype(np.uint32),
    )
