"""Give every source neuron the axons that reach the slices of its targets."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.errors import MappingError
from nmcompile.ir import Network, Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.fields import box_synapses
from nmcompile.passes.route._sparse_kernels import fill_axons, sort_rows

NONE = np.zeros(0, np.int64)


def route(network: Network, slices: Slices) -> tuple[Axons, ...]:
    """Axons of every projection, in the network's order.

    A source has one axon to each slice in which it has at least one synapse. Ways are no part of
    them: on a mesh spikes travel in dimension order (x first), and around dead links in legs of it;
    routers have tables (`multicast`).
    """
    return tuple(_by_source(network, p, _axons(network, p, slices)) for p in network.projections)


def _by_source(network: Network, projection: Projection, axons: Axons) -> Axons:
    """`axons` of the sources that a projection takes, among all neurons of its source."""
    if projection.sources is None:
        return axons
    first, end = projection.sources
    after = prod(network.shape_of(projection.source)) - end
    return replace(axons, start=np.pad(axons.start, (first, after), "edge"))


def _axons(network: Network, projection: Projection, slices: Slices) -> Axons:
    names = [p.name for p in network.populations]
    population = names.index(projection.target)
    mine = np.flatnonzero(slices.population == population).astype(np.int32)
    target = network.populations[population]
    currents = target.currents if projection.feeds_all(target) else 1
    if isinstance(projection.map, Dense):
        return _dense(projection.map, slices, mine, currents)
    if currents > 1:
        raise MappingError(
            projection.name, f"a {projection.map.kind} map cannot be routed into the {currents} "
            "currents of its neurons", "The backend makes it dense.")
    if isinstance(projection.map, Conv):
        return _conv(projection.map, slices, mine)
    assert isinstance(projection.map, Sparse)
    return _sparse(projection.map, slice_of_neurons(network, slices, population))


def _dense(linear: Dense, slices: Slices, mine: Array, currents: int) -> Axons:
    n_sources = linear.weight.shape[1]
    sizes = currents * slices.sizes()[mine].astype(np.int32)
    return Axons(
        start=np.arange(n_sources + 1, dtype=np.int64) * len(mine),
        slice=np.tile(mine, n_sources),
        synapses=np.tile(sizes, n_sources),
        first=NONE,
        order=NONE,
    )


def _conv(linear: Conv, slices: Slices, mine: Array) -> Axons:
    fields = [box_synapses(linear, slices.low[i], slices.high[i]) for i in mine]
    source = np.concatenate([f[0] for f in fields])
    synapses = np.concatenate([f[1] for f in fields])
    ends = np.repeat(mine, [len(f[0]) for f in fields])
    by_source = np.argsort(source, kind="stable")
    return Axons(
        start=_starts(source, int(np.prod(linear.in_shape))),
        slice=ends[by_source].astype(np.int32),
        synapses=synapses[by_source].astype(np.int32),
        first=NONE,
        order=NONE,
    )


def _sparse(linear: Sparse, owner: Array) -> Axons:
    order = np.empty(len(linear.target), np.int64)
    n = sort_rows(linear.start, linear.target, owner, order)
    start = np.empty(len(linear.start), np.int64)
    ends, synapses, first = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int64)
    fill_axons(linear.start, linear.target, owner, order, start, ends, synapses, first)
    return Axons(start=start, slice=ends, synapses=synapses, first=first, order=order)


def _starts(source: Array, n_sources: int) -> Array:
    counts = np.bincount(source, minlength=n_sources)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
