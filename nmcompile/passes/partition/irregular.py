"""Slices of populations whose synapses follow no shape: neurons that share sources lie together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.maps import Sparse
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import Slices
from nmcompile.passes.partition.hypergraph import Cutter, Hypergraph
from nmcompile.target import Target

PINS = 2_000_000  # of a hypergraph that is cut; of a larger one, as many drawn at random
IMBALANCE = (0.05, 0.3)  # least and most; between, as much as a core has room for
ROUNDS = 10
TOO_FEW = 1.25  # what a core is taken to be overfull by where no cut holds
CLOSE = 0.15  # share of the parts to which their number is sought
Fullest = Callable[[Network, Slices, int], float]
WHOLE = 1_000_000  # weight of vertices that fill a core


def is_irregular(network: Network, population: int) -> bool:
    """Whether all that arrives at population number `population` comes through sparse maps.

    One of them must have several synapses at most neurons.
    """
    incoming = network.incoming(network.populations[population].name)
    return bool(incoming) and all(isinstance(p.map, Sparse) for p in incoming) and any(
        len(p.map.weights()) > 2 * network.populations[population].size for p in incoming)


def regroup(
    network: Network, slices: Slices, target: Target, fullest: Fullest, cutter: Cutter
) -> Slices:
    """`slices` with every irregular population of several cut anew, where that takes fewer cores.

    fullest  of a network, its slices, and a population's number: the largest need of one of the
             population's slices over what a core has
    cutter   makes parts of a hypergraph

    A net is a source with the neurons that it reaches, so that few cores hear of a spike. The
    number of parts grows until each fits a core under all limits at once.
    """
    for index in range(len(network.populations)):
        if np.count_nonzero(slices.population == index) > 1 and is_irregular(network, index):
            slices = _regrouped(network, slices, index, target, fullest, cutter)
    return slices


def _regrouped(
    network: Network, slices: Slices, index: int, target: Target, fullest: Fullest,
    cutter: Cutter,
) -> Slices:
    graph = _hypergraph(network, index, target)
    before = int(np.count_nonzero(slices.population == index))
    name = network.populations[index].name
    near = replace(network, projections=tuple(
        p for p in network.projections if name in (p.source, p.target)))
    few, many, best = 1, before, slices  # as many are too few, as many are enough
    parts = max(2, ceil(graph.vertex_weight.sum() / WHOLE))
    for _ in range(ROUNDS):
        if parts >= many or parts <= few:
            break
        part = _cut(graph, parts, cutter)
        over = TOO_FEW
        if part is not None:
            found = _in_parts(network, slices, index, part)
            over = fullest(near, found, index)
        if over <= 1:
            many, best = parts, found
        else:
            few = parts
        if many - few <= CLOSE * many:
            break
        guess = ceil(parts * over) if best is slices else many
        parts = min(guess, (few + many) // 2) if guess >= many else guess
    return best


def _cut(graph: Hypergraph, parts: int, cutter: Cutter) -> Array | None:
    """A part for each vertex; None where so few do not hold vertices of unlike weight."""
    room = WHOLE * parts / graph.vertex_weight.sum() - 1
    try:
        return cutter(graph, parts, float(np.clip(room, *IMBALANCE)))
    except NmcError:
        return None


def _hypergraph(network: Network, index: int, target: Target) -> Hypergraph:
    """Sources as nets over the neurons of population number `index`, which weigh what they need."""
    population = network.populations[index]
    rng, fan_in = np.random.default_rng(0), np.zeros(population.size, np.int64)
    starts, pins, bits = [np.zeros(1, np.int64)], [], 0
    total = sum(len(p.map.weights()) for p in network.incoming(population.name))
    for projection in network.incoming(population.name):
        linear = projection.map
        assert isinstance(linear, Sparse)
        assert projection.format is not None
        fan_in += np.bincount(linear.target, minlength=population.size)
        bits = max(bits, projection.format.bits)
        kept = np.ones(len(linear.target), bool)
        if total > PINS:
            kept = rng.random(len(kept), np.float32) < PINS / total
        ends = np.concatenate([[0], np.cumsum(kept)])[linear.start]
        starts.append(starts[-1][-1] + ends[1:])
        pins.append(linear.target[kept])
    core = target.core
    share = (fan_in * bits / core.synapse_bits.value
             + compartments_of(population.neuron) / core.neurons.value)
    start = np.concatenate(starts)
    return Hypergraph(
        start=start, pins=np.concatenate(pins).astype(np.int32),
        net_weight=np.ones(len(start) - 1, np.int64),
        vertex_weight=np.maximum(1, np.rint(share * WHOLE)).astype(np.int64))


def _in_parts(network: Network, slices: Slices, index: int, part: Array) -> Slices:
    """`slices` with population number `index` in the parts `part` (n,)."""
    order = np.argsort(part, kind="stable").astype(np.int32)
    ends = np.unique(part[order], return_index=True)[1]
    first, last = ends, np.append(ends[1:], len(part))
    zero, one = np.zeros(len(first), np.int32), np.ones(len(first), np.int32)
    before, after = slices.population < index, slices.population > index

    def joined(mine: Array, values: Array) -> Array:
        return np.concatenate([values[before], mine, values[after]]).astype(np.int32)

    return Slices(
        population=joined(np.full(len(first), index), slices.population),
        low=joined(np.stack([zero, zero, first], axis=1), slices.low),
        high=joined(np.stack([one, one, last], axis=1), slices.high),
        core=joined(np.full(len(first), -1), slices.core),
        orders={**slices.orders, str(index): order})
