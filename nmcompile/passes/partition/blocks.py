"""Cut a block of neurons into the fewest parts that fit a core, with all that reaches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.maps import Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices
from nmcompile.passes.partition.hypergraph import Hypergraph
from nmcompile.passes.partition.hypergraph.cut import cut

PINS = 500_000  # of a hypergraph that is cut; of a larger one, as many drawn at random
IMBALANCE = (0.05, 0.3)  # least and most
ROOM, MIDDLE, FULL = 0.97, 0.95, 0.93  # of a core: most that is used, aimed at, and enough
FEW = 0.05  # of the parts may be too large and are halved
CUTS = 8
HALVINGS = 8
HEAVY = 1.5  # what parts are taken to need where so few do not hold vertices of unlike weight
SLOWEST = 0.3  # power of the number of parts with which needs are taken to fall
ONE = np.zeros(1, np.int32)
CORNER = np.zeros((1, 3), np.int32)
WHOLE_POPULATION = Slices(population=ONE, low=CORNER, high=CORNER, core=ONE)
Cutter = Callable[[Hypergraph, int, float], Array | None]
Fills = Callable[[Network, Slices, int], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Neurons with all that reaches them.

    network  has them as its only population; sources are inputs
    nets     for each projection (n_sources,) int64, the weight of each source
    weight   (n,) int64 what each needs of a core by itself
    whole    what a core has
    """

    network: Network
    nets: Sequence[Array]
    weight: Array
    whole: int


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a block is cut.

    density  parts for each core's worth of weight
    loose    whether parts may weigh unlike as far as a core has room, which keeps groups together
             that know each other; parts that weigh alike have the shortest borders
    """

    density: float
    loose: bool

    def imbalance(self, room: float) -> float:
        """How far a part may exceed the mean; `room` is what a core holds over that mean."""
        return float(np.clip(room - 1, *IMBALANCE)) if self.loose else IMBALANCE[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """A block's parts, all of which fit a core.

    part  (n,) int part of each neuron, from 0 on
    way   how it was cut before parts were halved
    """

    part: Array
    way: Way


def own_cutter(graph: Hypergraph, parts: int, imbalance: float) -> Array | None:
    """The part of each vertex by our own partitioner; None where so few do not hold them."""
    try:
        return cut(graph, parts, imbalance=imbalance)
    except NmcError:
        return None


def hypergraph(
    maps: Sequence[Sparse], nets: Sequence[Array], weight: Array, pins: int = PINS
) -> Hypergraph:
    """Sources of `maps`, weighing `nets`, over targets of `weight`; about `pins` pins at most."""
    rng = np.random.default_rng(0)
    total = sum(len(linear.target) for linear in maps)
    starts, kept_pins = [np.zeros(1, np.int64)], []
    for linear in maps:
        start, target = linear.start, linear.target
        if total > pins:
            kept = rng.random(len(target), np.float32) < pins / total
            start = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[start]
            target = target[kept]
        starts.append(starts[-1][-1] + start[1:])
        kept_pins.append(target)
    start = np.concatenate(starts)
    return Hypergraph(
        start=start, pins=np.concatenate(kept_pins).astype(np.int32),
        net_weight=np.concatenate(nets), vertex_weight=weight)


def parts_of(block: Block, way: Way | None, fills: Fills, cutter: Cutter) -> Parts | None:
    """Parts of `block` that fit, about the fewest that do; None where none are found.

    way    in which a block like it was cut before; without one, the best is sought
    fills  as for `regroup`
    """
    maps = [p.map for p in block.network.projections if isinstance(p.map, Sparse)]
    graph = hypergraph(maps, block.nets, block.weight)
    ways = [Way(density=1.0, loose=False), Way(density=1.0, loose=True)] if way is None else [way]
    found = [_sought(block, maps, graph, one, way is None, fills, cutter) for one in ways]
    return min((parts for parts in found if parts is not None),
               key=lambda parts: int(parts.part.max()), default=None)


def _sought(  # noqa: PLR0913
    block: Block, maps: Sequence[Sparse], graph: Hypergraph, way: Way, fewest: bool,
    fills: Fills, cutter: Cutter,
) -> Parts | None:
    """Parts that fit, the first or the `fewest` of those seen, where the number is sought."""
    cores = graph.vertex_weight.sum() / block.whole
    number = max(1, ceil(way.density * cores))
    seen: dict[int, float] = {}
    best: Parts | None = None
    for _ in range(CUTS):
        part = _cut(graph, number, way.imbalance(number / cores), cutter)
        need = np.full(1, HEAVY)
        if part is not None:
            need = fills(block.network, in_parts(WHOLE_POPULATION, 0, part), 0)
        seen[number] = float(np.quantile(need, 1 - FEW))
        if part is not None and seen[number] <= ROOM:
            found = _fitting(block, maps, part, need, fills)
            if found is not None and (best is None or found.max() < best.part.max()):
                best = Parts(part=found, way=replace(way, density=number / cores))
        if best is not None and (not fewest or seen[number] > FULL):
            break
        number = _next(seen)
        if number in seen:
            break
    return best


def _cut(graph: Hypergraph, number: int, imbalance: float, cutter: Cutter) -> Array | None:
    """(n,) parts numbered from 0, at most `number`."""
    if number == 1:
        return np.zeros(graph.n_vertices, np.int64)
    part = cutter(graph, number, imbalance)
    return None if part is None else np.unique(part, return_inverse=True)[1]


def _fitting(
    block: Block, maps: Sequence[Sparse], part: Array, need: Array, fills: Fills
) -> Array | None:
    """`part` with those parts halved that do not fit; None where that does not help.

    need  of each part
    """
    for _ in range(HALVINGS):
        if need.max() <= ROOM:
            return part
        part = halved(maps, part, np.flatnonzero(need > ROOM))
        need = fills(block.network, in_parts(WHOLE_POPULATION, 0, part), 0)
    return None


def _next(seen: dict[int, float]) -> int:
    """The number of parts to try: that which should just fit, as needs are powers of it.

    seen  what all but a FEW of the parts need, by their number
    """
    few = max((k for k in seen if seen[k] > ROOM), default=0)
    many = min((k for k in seen if seen[k] <= ROOM), default=1 << 40)
    ends = sorted(seen, key=lambda k: abs(np.log(seen[k] / MIDDLE)))[:2]
    fall = 1.0
    if len(ends) > 1:
        fall = float(np.log(seen[ends[0]] / seen[ends[1]]) / np.log(ends[1] / ends[0]))
    guess = ceil(ends[0] * (seen[ends[0]] / MIDDLE) ** (1 / max(fall, SLOWEST)))
    return min(max(guess, few + 1), max(many - 1, 1))


def halved(maps: Sequence[Sparse], part: Array, over: Array) -> Array:
    """`part` (n,) with the parts `over` cut in two, numbered from 0; one neuron stays one part."""
    rank = np.full(int(part.max()) + 1, -1)
    rank[over] = np.arange(len(over))
    targets, nets, before = [], [], 0
    for linear in maps:
        counts = np.diff(linear.start)
        kept = rank[part[linear.target]] >= 0
        targets.append(linear.target[kept])
        nets.append(before + np.repeat(np.arange(len(counts), dtype=np.int32), counts)[kept])
        before += len(counts)
    target, net = np.concatenate(targets), np.concatenate(nets)
    owner = rank[part[target]]
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(len(over) + 1))
    after, count = part.astype(np.int64), int(part.max()) + 1
    members = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[members], [over, over + 1])
    for number in range(len(over)):
        mine = members[starts[0, number]:starts[1, number]]
        pins = order[ends[number]:ends[number + 1]]
        if len(mine) > 1:
            after[mine[_second_half(mine, target[pins], net[pins])]] = count
            count += 1
    return after


def _second_half(members: Array, target: Array, net: Array) -> Array:
    """(k,) bool which of `members` (rising) go, given the nets of each of their synapses."""
    weight = 1 + np.bincount(np.searchsorted(members, target), minlength=len(members))
    _, first = np.unique(net, return_index=True)
    graph = Hypergraph(
        start=np.append(first, len(net)).astype(np.int64),
        pins=np.searchsorted(members, target).astype(np.int32),
        net_weight=np.ones(len(first), np.int64), vertex_weight=weight.astype(np.int64))
    sides = own_cutter(graph, 2, 0.05)
    return np.arange(len(members)) >= len(members) // 2 if sides is None else sides == 1


def in_parts(slices: Slices, index: int, part: Array) -> Slices:
    """`slices` with population number `index` in the parts `part` (n,), numbered from 0."""
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
