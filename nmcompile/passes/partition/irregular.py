"""Slices of populations whose synapses follow no shape: neurons that share sources lie together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from math import ceil

import numpy as np

from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Sparse
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import Slices
from nmcompile.passes.partition.blocks import (
    Block,
    Cutter,
    Fills,
    Parts,
    Way,
    halved,
    hypergraph,
    in_parts,
    parts_of,
)
from nmcompile.target import Target

BLOCK = 32_768  # neurons that are cut at once
NET_PINS = 8  # of a net, on average, where a population is first cut into blocks
WHOLE = 1_000_000  # weight of vertices that fill a core
AXON, MOST_SENT = 8, 3.0  # of a net's weight, see `regroup`
ROUNDS = 8  # of halving the slices that are too large
SLACK = 0.985  # of a core; halved slices add to what leaves others, so fuller ones are halved too


def is_irregular(network: Network, population: int) -> bool:
    """Whether all that arrives at population number `population` comes through sparse maps.

    One of them must have several synapses at most neurons.
    """
    incoming = network.incoming(network.populations[population].name)
    return bool(incoming) and all(isinstance(p.map, Sparse) for p in incoming) and any(
        len(p.map.weights()) > 2 * network.populations[population].size for p in incoming)


def regroup(  # noqa: PLR0913 - what may be left out comes last
    network: Network, slices: Slices, target: Target, fills: Fills, cutter: Cutter,
    rates: dict[str, Array], kept: frozenset[str] = frozenset(),
) -> Slices:
    """`slices` with every irregular population of several cut anew, where that takes fewer cores.

    kept    populations that stay as they are

    fills   of a network, its slices, and a population's number: for each slice of the population,
            (k,), the largest need over what a core has
    cutter  cuts a hypergraph into a number of parts
    rates   name of input or population -> (n,) mean spikes of each neuron in a step

    A net is a source with the neurons that it reaches, so that few cores hear of a spike. It weighs
    AXON for the axon that each core keeps of it, and as much for its spikes if it sends the mean
    number, up to MOST_SENT times that. A large population is first cut into blocks, which are cut
    one by one into parts that fit a core under all limits at once: the time grows with the
    synapses. A population stays as it is where the new cut takes no fewer cores, none is found, or
    what it feeds would not fit.
    """
    for index in range(len(network.populations)):
        before = int(np.count_nonzero(slices.population == index))
        name = network.populations[index].name
        if before > 1 and name not in kept and is_irregular(network, index):
            nets = _net_weights(network, index, rates)
            part = _parts(network, index, nets, target, fills, cutter)
            found = None if part is None else _settled(network, slices, index, part, fills)
            if (found is not None and np.count_nonzero(found.population == index) < before
                    and _fed_still_fit(network, found, index, fills)):
                slices = found
    return slices


def _near(network: Network, index: int) -> Network:
    """`network` with those projections alone that reach or leave population number `index`."""
    name = network.populations[index].name
    return replace(network, projections=tuple(
        p for p in network.projections if name in (p.source, p.target)))


def _fed_still_fit(network: Network, slices: Slices, index: int, fills: Fills) -> bool:
    """Whether what population number `index` feeds fits: it may meet more slices than before."""
    name = network.populations[index].name
    fed = {p.target for p in network.outgoing(name)} - {name}
    return all(fills(_near(network, i), slices, i).max() <= 1
               for i, population in enumerate(network.populations) if population.name in fed)


def _parts(
    network: Network, index: int, nets: Sequence[Array], target: Target, fills: Fills,
    cutter: Cutter,
) -> Array | None:
    """(n,) a part for each neuron of population number `index`; None where none are found."""
    weight = _weights(network, index, target)
    blocks = _Blocks.of(network, index, nets, _blocks(network, index, nets, weight, cutter))

    def cut_alone(number: int, way: Way | None) -> Parts | None:
        members = np.flatnonzero(blocks.owner == number)
        alone = blocks.alone(number, members, weight[members])
        return parts_of(alone, way, fills, cutter)

    first = cut_alone(0, None)
    if first is None:
        return None
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        rest = threads.map(lambda number: cut_alone(number, first.way), range(1, blocks.count))
        found = [first, *rest]
    part, count = np.empty(len(weight), np.int64), 0
    for number, parts in enumerate(found):
        if parts is None:
            return None
        part[blocks.owner == number] = count + parts.part
        count += int(parts.part.max()) + 1
    return part


def _net_weights(network: Network, index: int, rates: dict[str, Array]) -> list[Array]:
    """For each projection into population number `index`, (n_sources,) int64."""
    incoming = network.incoming(network.populations[index].name)
    sent = []
    for projection in incoming:
        first, end = projection.sources or (0, len(rates[projection.source].reshape(-1)))
        sent.append(np.asarray(rates[projection.source], np.float64).reshape(-1)[first:end])
    mean = float(np.concatenate(sent).mean())
    relative = [each / mean if mean else np.zeros(len(each)) for each in sent]
    return [np.rint(AXON * (1 + each.clip(max=MOST_SENT))).astype(np.int64) for each in relative]


def _weights(network: Network, index: int, target: Target) -> Array:
    """(n,) int64 what each neuron needs of a core by itself, a core being WHOLE."""
    population = network.populations[index]
    fan_in, bits = np.zeros(population.size, np.int64), 0
    for projection in network.incoming(population.name):
        assert isinstance(projection.map, Sparse)
        assert projection.format is not None
        fan_in += np.bincount(projection.map.target, minlength=population.size)
        bits = max(bits, projection.format.bits)
    core = target.core
    share = (fan_in * bits / core.synapse_bits.value
             + compartments_of(population.neuron) / core.neurons.value)
    return np.maximum(1, np.rint(share * WHOLE)).astype(np.int64)


def _blocks(
    network: Network, index: int, nets: Sequence[Array], weight: Array, cutter: Cutter
) -> Array:
    """(n,) block of each neuron; all 0 where one holds them."""
    n = len(weight)
    number = ceil(n / BLOCK)
    if number < 2:
        return np.zeros(n, np.int32)
    maps = _incoming(network, index)
    pins = NET_PINS * sum(len(each) for each in nets)
    found = cutter(hypergraph(maps, nets, weight, pins), number, 0.05)
    return np.zeros(n, np.int32) if found is None else found


def _incoming(network: Network, index: int) -> list[Sparse]:
    maps = [p.map for p in network.incoming(network.populations[index].name)]
    return [linear for linear in maps if isinstance(linear, Sparse)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Blocks:
    """A population in blocks, with its synapses sorted by the block that they end in.

    nets   for each incoming projection (n_sources,) int64, the weight of each source
    owner  (n,) int block of each neuron
    order  for each incoming projection (synapses,) int64, by block, then as they were
    ends   for each, (blocks + 1,) int64 where each block's begin in `order`
    """

    network: Network
    index: int
    nets: Sequence[Array]
    owner: Array
    order: list[Array]
    ends: list[Array]

    @classmethod
    def of(
        cls, network: Network, index: int, nets: Sequence[Array], owner: Array
    ) -> _Blocks:
        order, ends, count = [], [], int(owner.max()) + 1
        small = owner.astype(np.uint16)  # sorted by radix
        for linear in _incoming(network, index):
            block = small[linear.target]
            order.append(np.argsort(block, kind="stable"))
            sizes = np.bincount(block, minlength=count)
            ends.append(np.concatenate([[0], np.cumsum(sizes)]))
        return cls(network=network, index=index, nets=nets, owner=owner, order=order, ends=ends)

    @property
    def count(self) -> int:
        return int(self.owner.max()) + 1

    def alone(self, number: int, members: Array, weight: Array) -> Block:
        """Block `number`, whose neurons are `members` (rising), with all that reaches it."""
        population = self.network.populations[self.index]
        place = np.full(population.size, -1, np.int32)
        place[members] = np.arange(len(members), dtype=np.int32)
        ports, projections = [], []
        for i, projection in enumerate(self.network.incoming(population.name)):
            linear, shape = projection.map, (len(members),)
            assert isinstance(linear, Sparse)
            mine = self.order[i][self.ends[i][number]:self.ends[i][number + 1]]
            within = Sparse(start=np.searchsorted(mine, linear.start),
                            target=place[linear.target[mine]], weight=linear.weight[mine],
                            in_shape=linear.in_shape, out_shape=shape)
            ports.append(replace(self.network.inputs[0], name=f"source {i}", shape=linear.in_shape))
            projections.append(
                replace(projection, source=ports[-1].name, map=within, sources=None))
        return Block(
            network=replace(self.network, inputs=tuple(ports), outputs=(),
                            populations=(_some(population, members),),
                            projections=tuple(projections)),
            nets=self.nets, weight=weight, whole=WHOLE)


def _some(population: Population, members: Array) -> Population:
    """The neurons `members` of `population`, with their own registers."""
    own = {}
    for field in fields(population.neuron):  # type: ignore[arg-type]
        register = getattr(population.neuron, field.name)
        if isinstance(register, np.ndarray) and register.size > 1:
            own[field.name] = np.broadcast_to(register, population.shape).reshape(-1)[members]
    neuron = replace(population.neuron, **own)  # type: ignore[type-var]
    return replace(population, shape=(len(members),), neuron=neuron)


def _settled(
    network: Network, slices: Slices, index: int, part: Array, fills: Fills
) -> Slices | None:
    """`slices` with population number `index` in the parts `part`, halved where they do not fit.

    What leaves a slice is known only now. None where halving does not help.
    """
    near, maps = _near(network, index), _incoming(network, index)
    for _ in range(ROUNDS):
        found = in_parts(slices, index, part)
        need = fills(near, found, index)
        if need.max() <= 1:
            return found
        part = halved(maps, part, np.flatnonzero(need > SLACK))
    return None
