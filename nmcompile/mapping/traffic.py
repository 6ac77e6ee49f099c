"""What slices send each other in a step at given rates, and its ways around dead links."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.faults import Detours, NoWayError, detours
from nmcompile.mapping.mapping import Axons, Faults, Slices
from nmcompile.mapping.multicast.demand import Senders, reached_slices, senders
from nmcompile.target import Target
from nmcompile.target.topology import INPUT_TILE, board_height, board_width, tile_number


def packets_between(
    network: Network, slices: Slices, axons: tuple[Axons, ...], rates: dict[str, Array]
) -> tuple[scipy.sparse.csr_array, Array]:
    """Packets (s + 1, s) from row to column, the last row the inputs; synaptic events (s,).

    rates  name of input or population -> (n,) mean spikes of each neuron in a step
    """
    index, n = {p.name: i for i, p in enumerate(network.populations)}, len(slices)
    total, events = scipy.sparse.csr_array((n + 1, n)), np.zeros(n)
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = np.asarray(rates[projection.source], np.float64).reshape(-1)
        owner = (slice_of_neurons(network, slices, index[projection.source])
                 if projection.source in index else np.full(len(rate), n))
        counts = np.diff(axon.start)
        packets = np.repeat(rate, counts)
        pairs = (packets, (np.repeat(owner, counts), axon.slice))
        total = total + scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=total.shape))
        events += np.bincount(axon.slice, packets * axon.synapses, n)
    return total, events


def ways_around(
    network: Network, slices: Slices, axons: tuple[Axons, ...], faults: Faults, target: Target
) -> Detours:
    """The ways around dead links between all tiles that an axon joins, whatever its rate.

    Raises NoWayError naming source and target of the first projection that has no way.
    """
    tiles = board_width(target) * board_height(target)
    origin = INPUT_TILE[1] * board_width(target) + INPUT_TILE[0]
    tile = tile_number(target, slices.core)
    index = {p.name: i for i, p in enumerate(network.populations)}
    joined = []
    for projection, axon in zip(network.projections, axons, strict=True):
        if not len(faults.links):
            break
        home = (tile[slice_of_neurons(network, slices, index[projection.source])]
                if projection.source in index else np.full(len(axon.start) - 1, origin))
        pair = np.repeat(home, np.diff(axon.start)) * tiles + tile[axon.slice]
        joined.append(np.unique(pair))
    every = np.unique(np.concatenate(joined)) if joined else np.zeros(0, np.int64)
    try:
        return detours(target, faults, *np.divmod(every, tiles))
    except NoWayError as error:
        lost = error.first * tiles + error.last
        names = next(f"{p.source} to {p.target}" for p, pair
                     in zip(network.projections, joined, strict=True) if lost in pair)
        raise NoWayError(target, faults, error.first, error.last, names) from error


def copies_between(
    network: Network, slices: Slices, axons: tuple[Axons, ...], rates: dict[str, Array],
    target: Target,
) -> tuple[scipy.sparse.csr_array, Array]:
    """As `packets_between`; routers copy each packet to all slices that its sender reaches."""
    _, events = packets_between(network, slices, axons, rates)
    from_ = senders(network, slices, target)
    reached = reached_slices(network, slices, axons, from_)
    copies = scipy.sparse.diags_array(sent_by(from_, rates)) @ reached
    inputs = scipy.sparse.csr_array(copies[len(slices):].sum(axis=0)[None])
    return scipy.sparse.csr_array(scipy.sparse.vstack([copies[:len(slices)], inputs])), events


def sent_by(senders: Senders, rates: dict[str, Array]) -> Array:
    """(s,) mean spikes in a step of each sender; `rates` as of `packets_between`."""
    total = np.zeros(len(senders.size))
    for name, owner in senders.of.items():
        total += np.bincount(owner, np.asarray(rates[name], np.float64).reshape(-1), len(total))
    return total
