"""What is to be routed: slices that send, and the cores that each must reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import run_of_lines, slice_of_neurons
from nmcompile.mapping.mapping import Axons, Slices
from nmcompile.target import Target


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Senders:
    """Who sends: slices by number, then runs of the lines of each input, as long as a core's.

    of      name of input or population -> (n,) int32 sender of each line or neuron
    size    (s,) int64 lines of each sender
    """

    of: dict[str, Array]
    size: Array


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


def senders(network: Network, slices: Slices, target: Target) -> Senders:
    """The senders of a network whose neurons lie in `slices`."""
    n = len(slices)
    of = {p.name: slice_of_neurons(network, slices, i) for i, p in enumerate(network.populations)}
    sizes = [slices.sizes().astype(np.int64)]
    for port in network.inputs:
        block = run_of_lines(port.size, target)
        of[port.name] = (n + block).astype(np.int32)
        sizes.append(np.bincount(block))
        n += len(sizes[-1])
    return Senders(of=of, size=np.concatenate(sizes))


def reached_slices(
    network: Network, slices: Slices, axons: tuple[Axons, ...], senders: Senders
) -> scipy.sparse.csr_array:
    """(s, slices) 1 where a sender has an axon into a slice: all its packets go there."""
    shape = (len(senders.size), len(slices))
    found = scipy.sparse.csr_array(shape, dtype=np.int64)
    for projection, axon in zip(network.projections, axons, strict=True):
        source = np.repeat(senders.of[projection.source], np.diff(axon.start))
        ones = np.ones(len(source), np.int64)
        found = found + scipy.sparse.coo_array((ones, (source, axon.slice)), shape=shape).tocsr()
    found.data[:] = 1
    found.sort_indices()
    return found


def demand_of(
    slices: Slices, senders: Senders, reached: scipy.sparse.csr_array, target: Target
) -> Demand:
    """The demand of placed slices; inputs enter at chip 0."""
    inputs = np.zeros(len(senders.size) - len(slices), np.int32)
    chip, core = np.divmod(np.concatenate([slices.core, inputs]), target.cores_per_chip)
    source = np.repeat(np.arange(len(senders.size)), np.diff(reached.indptr))
    return demand(chip, 1 + core, senders.size, source, reached.indices)
