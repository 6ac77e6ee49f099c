"""Splitters: neurons that hand on the spikes of one that feeds more lines than leave a core."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense, Sparse, from_matrix
from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.mapping.capacity import slice_of_neurons, too_large
from nmcompile.passes.legalize import retime
from nmcompile.passes.legalize.conv_algebra import conv_matrix
from nmcompile.passes.route import route
from nmcompile.target import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A network with the splitters that its slices ask for.

    origin  (n,) int64 for each input line and neuron of the network, the line or neuron of the
            network before, all in the order of `Mapping.rates`, that it is or hands on
    """

    network: Network
    slices: Slices
    origin: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """What the neurons of one population feed, (k,) int64 each, by neuron.

    A line is a neuron, a projection and a slice that it reaches. relay is the number of the
    splitter neuron that feeds it, -1 for the neuron itself.
    """

    projection: Array
    source: Array
    slice: Array
    relay: Array


def may_split(population: Population, target: Target) -> bool:
    """Whether splitters may hand on the spikes of `population`."""
    return hasattr(population.neuron, "splitter") and target.core.axon_sources.value == 1


def own_lines(reached: Array, most: int, heard: bool) -> Array:
    """Lines that a neuron feeds itself where it reaches so many and `most` leave a core.

    heard  whether the host hears the neuron, which takes a line where there are splitters

    The fewest splitters: m of them feed `most` lines each, the neuron feeds them and the rest.
    """
    relays = np.maximum(0, -(-(reached + heard - most) // max(1, most - 1)))
    own = np.maximum(reached - most * relays, 0) + relays + heard
    return np.where(relays > 0, np.minimum(own, most), reached)


def with_splitters(network: Network, slices: Slices, target: Target) -> Split:
    """`network` in which no slice feeds more lines than leave a core, with slices for what is new.

    slices  as `partition` made them, with room for the lines that `own_lines` says

    Behind each neuron of a slice that feeds too many stand as few splitter neurons as do; those
    that feed too many themselves have splitters in turn. A spike takes a step more through each,
    which delays have room for or all that lies behind waits for. Lines of loops and of short
    delays are the last to go through splitters. Raises NmcError where a loop has no step to spare,
    or a delay becomes longer than the chip's.
    """
    origin = np.arange(sum(node.size for node in network.nodes))
    found = Split(network=network, slices=slices, origin=origin)
    index = 0
    while index < len(found.network.populations):
        if may_split(found.network.populations[index], target):
            found = _split(found, index, target)
        index += 1
    return found


def _split(found: Split, index: int, target: Target) -> Split:
    """`found` with splitters behind population number `index`, if it needs any."""
    network, slices = found.network, found.slices
    population, most = network.populations[index], target.core.output_axons.value
    lines = _lines(network, slices, population.name)
    reached = np.bincount(lines.source, minlength=population.size)
    owner = slice_of_neurons(network, slices, index)
    over = np.bincount(owner, reached, len(slices)) > most
    if not over.any():
        return found
    heard = any(port.population == population.name for port in network.outputs)
    room = most // slices.sizes()[owner] - heard
    if room[over[owner]].min() < 1:
        raise too_large(population.name, "output_axons", int(reached.max()), target)
    relays = _relays(reached, np.where(over[owner], room, reached), most)
    lines = replace(lines, relay=_shared_out(lines, reached, relays, most))
    return _with_relays(found, index, lines, relays, target)


def _lines(network: Network, slices: Slices, name: str) -> Lines:
    """The lines of population `name`; of each neuron, those that may not wait come first."""
    columns = []
    for number, projection in enumerate(network.projections):
        if projection.source == name:
            axons = _axons(network, projection, slices)
            source = np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start))
            columns.append((np.full(len(source), number), source, axons.slice,
                            np.full(len(source), projection.target != name),
                            np.full(len(source), projection.delay)))
    if not columns:
        none = np.zeros(0, np.int64)
        return Lines(projection=none, source=none, slice=none, relay=none)
    number, source, ends, waits, delay = (
        np.concatenate(c).astype(np.int64) for c in zip(*columns, strict=True))
    order = np.lexsort((ends, number, delay, waits, source))
    return Lines(projection=number[order], source=source[order], slice=ends[order],
                 relay=np.full(len(order), -1))


def _axons(network: Network, projection: Projection, slices: Slices) -> Axons:
    return route(replace(network, projections=(projection,)), slices)[0]


def _relays(reached: Array, room: Array, most: int) -> Array:
    """(n,) the fewest splitter neurons with which each neuron itself feeds at most `room` lines."""
    relays = np.full(len(reached), -1)
    for number in range(most + 1):
        fits = np.maximum(reached - most * number, 0) + number <= room
        relays[(relays < 0) & fits] = number
    return np.where(relays < 0, room, relays)


def _shared_out(lines: Lines, reached: Array, relays: Array, most: int) -> Array:
    """(k,) the splitter neuron of each line: the last lines of a neuron, in equal shares."""
    rank = np.arange(len(lines.source)) - (np.cumsum(reached) - reached)[lines.source]
    own = np.where(relays > 0, np.maximum(reached - most * relays, 0), reached)
    share = np.maximum(1, -(-(reached - own) // np.maximum(relays, 1)))
    first = np.cumsum(relays) - relays
    number = first[lines.source] + (rank - own[lines.source]) // share[lines.source]
    return np.where(rank >= own[lines.source], number, -1)


def _with_relays(
    found: Split, index: int, lines: Lines, relays: Array, target: Target
) -> Split:
    network, slices, source = found.network, found.slices, found.network.populations[index]
    lag = network.lags
    parent = np.repeat(np.arange(source.size), relays)
    relay, link = _relay(network, source, parent)
    projections: list[Projection] = []
    for number, projection in enumerate(network.projections):
        early = replace(projection, delay=projection.delay - lag[projection.target]
                        + lag[projection.source])
        mine = lines.projection == number
        if np.any(lines.relay[mine] >= 0):
            projections += _divided(network, slices, early, relay, lines, mine)
        else:
            projections.append(early)
    fresh = replace(network, populations=(*network.populations, relay),
                    projections=(*projections, link))
    fed = np.bincount(lines.relay[lines.relay >= 0], minlength=len(parent))
    begun = sum(node.size for node in network.nodes[: len(network.inputs) + index])
    return Split(network=_retimed(fresh, source, target),
                 slices=_with_runs(slices, len(network.populations), fed, target),
                 origin=np.concatenate([found.origin, found.origin[begun + parent]]))


def _relay(network: Network, source: Population, parent: Array) -> tuple[Population, Projection]:
    """The splitter neurons that neurons `parent` of `source` feed, and the way to them."""
    neuron, form = source.neuron.splitter()  # type: ignore[attr-defined]
    taken, name = {node.name for node in network.nodes}, f"{source.name}.split"
    while name in taken:
        name += "_"
    relay = Population(name=name, shape=(len(parent),), neuron=neuron,
                       bias=np.zeros((), source.bias.dtype))
    ones = scipy.sparse.csr_array((np.ones(len(parent), np.int16),
                                   (parent, np.arange(len(parent)))),
                                  shape=(source.size, len(parent)))
    link = Projection(source=source.name, target=name, format=form,
                      map=from_matrix(ones, source.shape, relay.shape))
    return relay, link


def _divided(
    network: Network, slices: Slices, projection: Projection, relay: Population, lines: Lines,
    mine: Array,
) -> list[Projection]:
    """What of `projection` its source still feeds, and what the splitters do."""
    matrix = scipy.sparse.coo_array(_matrix(projection.map))
    target = [p.name for p in network.populations].index(projection.target)
    owner = slice_of_neurons(network, slices, target).astype(np.int64)
    key = lines.source[mine] * len(slices) + lines.slice[mine]
    order = np.argsort(key)
    wanted = matrix.row.astype(np.int64) * len(slices) + owner[matrix.col]
    by = lines.relay[mine][order[np.searchsorted(key[order], wanted)]]
    parts = []
    for name, shape, rows, chosen in (
            (projection.source, projection.map.in_shape, matrix.row, by < 0),
            (relay.name, relay.shape, by, by >= 0)):
        if chosen.any():
            part = scipy.sparse.csr_array(
                (matrix.data[chosen], (rows[chosen], matrix.col[chosen])),
                shape=(int(np.prod(shape)), matrix.shape[1]))
            parts.append(replace(projection, source=name,
                                 map=from_matrix(part, shape, projection.map.out_shape)))
    return parts


def _matrix(linear: LinearMap) -> scipy.sparse.csr_array:
    """The integer weights (sources, targets) of a map."""
    if isinstance(linear, Dense):
        return scipy.sparse.csr_array(linear.weight.T)
    if isinstance(linear, Conv):
        return conv_matrix(linear).astype(linear.weight.dtype)
    assert isinstance(linear, Sparse)
    return scipy.sparse.csr_array(linear.matrix())


def _retimed(network: Network, source: Population, target: Target) -> Network:
    try:
        return retime(network, target.formats.max_delay.value)[0]
    except NmcError as error:
        raise NmcError(
            source.name, f"feeds more than the {target.core.output_axons.value} lines that leave a "
            f"core, and its splitters take a step: {error}") from error


def _with_runs(slices: Slices, population: int, fed: Array, target: Target) -> Slices:
    """`slices` with those of population number `population`: runs of as many as fit a core.

    fed  (n,) lines that each neuron feeds
    """
    before, first = np.concatenate([[0], np.cumsum(fed)]), [0]
    most = min(target.core.neurons.value, target.core.input_axons.value)
    while first[-1] < len(fed):
        room = before[first[-1]] + target.core.output_axons.value
        fits = int(np.searchsorted(before, room, "right")) - 1
        first.append(min(max(fits, first[-1] + 1), first[-1] + most))
    ends = np.array(first, np.int32)
    n = len(ends) - 1
    zero, one = np.zeros(n, np.int32), np.ones(n, np.int32)
    return Slices(
        population=np.append(slices.population, np.full(n, population, np.int32)),
        low=np.concatenate([slices.low, np.stack([zero, zero, ends[:-1]], axis=1)]),
        high=np.concatenate([slices.high, np.stack([one, one, ends[1:]], axis=1)]),
        core=np.append(slices.core, np.full(n, -1, np.int32)), orders=slices.orders)
