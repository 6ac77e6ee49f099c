"""Every axon of a program: the number it has at its core, and who sends through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import Program, Slices, capacity


@dataclass(frozen=True, kw_only=True, eq=False)
class AxonTable:
    """All axons, projection behind projection, (a,) each.

    projection  number of the projection
    member      number of the axon within the projection's own
    source      neuron of the projection's source
    slice       where it ends
    core        global number of the core of that slice
    number      the axon's number at that core
    delay       steps
    """

    projection: Array
    member: Array
    source: Array
    slice: Array
    core: Array
    number: Array
    delay: Array


def axon_table(program: Program) -> AxonTable:
    """The axons of `program`; a core numbers those that end in it by projection and source."""
    network, mapping = program.network, program.mapping
    counts = [len(axons.slice) for axons in mapping.axons]
    slices = np.concatenate([axons.slice for axons in mapping.axons])
    core = mapping.slices.core[slices]
    source = [np.repeat(np.arange(len(a.start) - 1), np.diff(a.start)) for a in mapping.axons]
    return AxonTable(
        projection=np.repeat(np.arange(len(counts)), counts),
        member=np.concatenate([np.arange(count) for count in counts]),
        source=np.concatenate(source), slice=slices, core=core, number=_ranks(core),
        delay=np.repeat([p.delay for p in network.projections], counts),
    )


def _ranks(core: Array) -> Array:
    """For each entry, how many entries of the same core stand before it."""
    order = np.argsort(core, kind="stable")
    first = np.searchsorted(core[order], core[order])
    ranks = np.empty(len(core), np.int64)
    ranks[order] = np.arange(len(core)) - first
    return ranks


def by_core(core: Array) -> dict[int, Array]:
    """For each core that occurs, the entries that name it, in their order."""
    order = np.argsort(core, kind="stable")
    found, first = np.unique(core[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, first)[1:], strict=True))


def first_compartments(network: Network, slices: Slices) -> Array:
    """(s,) compartment of each slice's first neuron; slices of a core follow each other."""
    order = np.argsort(slices.core, kind="stable")
    sizes = capacity.compartments(network, slices)[order]
    before = np.cumsum(sizes) - sizes
    first = np.empty(len(slices), np.int64)
    first[order] = before - before[np.searchsorted(slices.core[order], slices.core[order])]
    return first


def compartments(network: Network, slices: Slices, population: int) -> tuple[Array, Array]:
    """(n,) core and compartment that fires of each neuron of population number `population`.

    Of several compartments of a neuron, which lie side by side, that is the last.
    """
    neurons = network.populations[population]
    each = compartments_of(neurons.neuron)
    core, compartment = np.empty((2, neurons.size), np.int64)
    first = first_compartments(network, slices)
    for i in np.flatnonzero(slices.population == population):
        members = slices.members(neurons.shape, int(i))
        core[members] = slices.core[i]
        compartment[members] = first[i] + np.arange(len(members)) * each + each - 1
    return core, compartment


@dataclass(frozen=True, kw_only=True, eq=False)
class Senders:
    """Where axons start: core -1 for those of inputs.

    core         (a,) global core number of the source neuron
    compartment  (a,) its compartment there; for an input the input's line
    """

    core: Array
    compartment: Array


def senders(program: Program, table: AxonTable) -> Senders:
    """The source of each axon of `table`."""
    network = program.network
    index = {p.name: i for i, p in enumerate(network.populations)}
    core, compartment = np.full(len(table.core), -1), table.source.copy()
    for number, projection in enumerate(network.projections):
        if projection.source in index:
            mine = table.projection == number
            places = compartments(network, program.mapping.slices, index[projection.source])
            core[mine] = places[0][table.source[mine]]
            compartment[mine] = places[1][table.source[mine]]
    return Senders(core=core, compartment=compartment)
