"""How long each core of a routed mapping works in a tick, for given spikes."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import compartments
from nmcompile.mapping.mapping import Axons, Slices
from nmcompile.mapping.multicast.demand import reached_slices, senders
from nmcompile.mapping.tick_work import TickWork
from nmcompile.target import Target


def tick_seconds(
    network: Network, slices: Slices, axons: tuple[Axons, ...], target: Target, work: TickWork,
    sent: Array,
) -> Array:
    """(ticks, s) seconds that the core of each slice works in each tick.

    sent  (ticks, n) spikes, or their mean, of all input lines and neurons in the network's order

    Every packet of a slice goes to all slices that hear any of its neurons. A packet's place in the
    table of sources is taken to be the last that is found, and packets to come in one burst.
    """
    from_ = senders(network, slices, target)
    block = np.concatenate([from_.of[node.name] for node in network.nodes])
    packets = _summed(sent, block, len(from_.size))
    reached = reached_slices(network, slices, axons, from_)
    found = work.receive + work.lookup + work.halving * halvings(reached.sum(axis=0))
    heard = packets @ reached
    busy = heard * found + work.burst * np.minimum(heard, 1)
    busy += work.timer + work.update * compartments(network, slices)
    busy += work.spike * packets[:, : len(slices)]
    return np.asarray(busy + sent @ _rows(network, axons, work, len(slices)))


def halvings(entries: Array) -> Array:
    """How often a table of so many sources is halved, at most, until a source is found."""
    return np.asarray(np.ceil(np.log2(np.asarray(entries) + 1)))


def _summed(sent: Array, block: Array, n: int) -> Array:
    """(ticks, n) sums of the columns of each block."""
    ones = np.ones(len(block))
    return np.asarray(sent @ scipy.sparse.csr_array(
        (ones, (np.arange(len(block)), block)), shape=(len(block), n)))


def _rows(
    network: Network, axons: tuple[Axons, ...], work: TickWork, n: int
) -> scipy.sparse.csr_array:
    """(senders, n) seconds that the rows of a spike take each slice.

    A sender's further row on a core is looked up like its first.
    """
    sizes = [node.size for node in network.nodes]
    first = dict(zip((node.name for node in network.nodes), np.cumsum([0, *sizes]).tolist(),
                     strict=False))
    total, ends = scipy.sparse.csr_array((sum(sizes), n)), set[tuple[str, str]]()
    for projection, axon in zip(network.projections, axons, strict=True):
        pair = (projection.source, projection.target)
        each = work.row + (work.lookup if pair in ends else 0.0)
        ends.add(pair)
        line = np.repeat(np.arange(len(axon.start) - 1), np.diff(axon.start))
        total = total + scipy.sparse.csr_array(
            (each + work.event * axon.synapses, (first[projection.source] + line, axon.slice)),
            shape=total.shape)
    return total
