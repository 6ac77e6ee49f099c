"""Splitters: neurons that hand on the spikes of one that feeds more lines than leave a core."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from nmcompile.errors import CoreLimitError, NmcError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import from_matrix
from nmcompile.ir.neurons.base import Array, is_splitter
from nmcompile.mapping import Slices
from nmcompile.mapping.capacity import is_heard, lines_heard, slice_of_neurons, too_large
from nmcompile.passes.legalize import retime
from nmcompile.passes.legalize.conv_algebra import integer_matrix
from nmcompile.passes.partition.sizes import Grid, reached
from nmcompile.passes.route import route
from nmcompile.target import Target

FREE, FIXED = -1, -2


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
    splitter neuron that feeds it, -1 for the neuron itself, FIXED where that must be so.
    """

    projection: Array
    source: Array
    slice: Array
    relay: Array


def may_split(population: Population, target: Target) -> bool:
    """Whether splitters may hand on the spikes of `population`."""
    return hasattr(population.neuron, "splitter") and target.core.axon_sources.value == 1


def lines_beside_splitters(
    network: Network, population: Population, neurons: Array, grids: dict[str, Grid], target: Target
) -> Array:
    """(k,) most lines of boxes of `neurons` (k,) of `population`, but for those of splitters.

    grids  boxes of its targets
    """
    fixed, others = 0, 0
    for projection, spare in zip(network.projections, spare_steps(network), strict=True):
        if projection.source == population.name:
            boxes = reached(projection, grids)
            fixed, others = fixed + boxes * (not spare), others + boxes * spare
    heard, most = is_heard(network, population), target.core.output_axons.value
    lines: Array = neurons * own_lines(others, fixed, heard, most)
    alone = others + fixed + heard <= most
    return lines + lines_heard(network, population, neurons) if alone else lines


def own_lines(others: int, fixed: int, heard: bool, most: int) -> int:
    """Lines that a neuron feeds itself if splitters may feed `others`, but not `fixed` of them.

    heard  whether the host hears the neuron, which takes a line where there are splitters
    most   lines that leave a core

    The fewest splitters: m of them feed `most` lines each, the neuron feeds them and the rest.
    """
    fixed += heard
    if others + fixed <= most:
        return others + fixed - heard
    relays = -(-(others + fixed - most) // max(1, most - 1))
    own = max(others - most * relays, 0) + relays + fixed
    return min(own, max(most, fixed + 1))


def spare_steps(network: Network) -> list[bool]:
    """For each projection, whether a spike may take a step more through it.

    It may not where the projection takes one step and lies in a loop of such projections.
    """
    number = {node.name: i for i, node in enumerate(network.nodes)}
    ends = np.array([(number[p.source], number[p.target]) for p in network.projections])
    single = np.array([p.delay == 1 for p in network.projections])
    graph = scipy.sparse.coo_array(
        (np.ones(np.count_nonzero(single)), tuple(ends[single].T)), shape=(len(number),) * 2)
    _, loop = connected_components(graph, connection="strong")
    return (~single | (loop[ends[:, 0]] != loop[ends[:, 1]])).tolist()


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
    fed = np.bincount(lines.source, minlength=population.size)
    owner = slice_of_neurons(network, slices, index)
    heard = np.where(slices.population == index,
                     lines_heard(network, population, slices.sizes()), 0)
    over = np.bincount(owner, fed, len(slices)) + heard > most
    if not over.any():
        return found
    room = most // slices.sizes()[owner] - is_heard(network, population)
    room = np.where(over[owner], room, fed)
    fixed = np.bincount(lines.source[lines.relay == FIXED], minlength=population.size)
    if np.any((fed > room) & (fixed >= room)):
        raise too_large(_behind(network, population).name, "output_axons", int(fed.max()), target)
    relays = _relays(fed, fixed, room, most)
    lines = replace(lines, relay=_shared_out(lines, fed, np.where(relays, room - relays, fed),
                                             relays))
    return _with_relays(found, index, lines, relays, target)


def _behind(network: Network, population: Population) -> Population:
    """The population whose spikes `population` hands on, or itself."""
    while is_splitter(population.neuron):
        population = network.population(network.incoming(population.name)[0].source)
    return population


def _lines(network: Network, slices: Slices, name: str) -> Lines:
    """The lines of population `name`; of each neuron, those with least time to spare come first."""
    columns = [np.zeros((5, 0), np.int64)]
    for number, (projection, spare) in enumerate(
            zip(network.projections, spare_steps(network), strict=True)):
        if projection.source == name:
            axons = route(replace(network, projections=(projection,)), slices)[0]
            source = np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start))
            same = (number, FREE if spare else FIXED, projection.delay)
            columns.append(np.stack([source, axons.slice, *np.broadcast_to(
                np.array(same)[:, None], (3, len(source)))]))
    source, ends, number, relay, delay = np.concatenate(columns, axis=1)
    order = np.lexsort((ends, number, delay, relay, source))
    return Lines(projection=number[order], source=source[order], slice=ends[order],
                 relay=relay[order])


def _relays(fed: Array, fixed: Array, room: Array, most: int) -> Array:
    """(n,) the fewest splitter neurons with which each neuron itself feeds at most `room` lines."""
    relays = np.full(len(fed), -1)
    for number in range(most + 1):
        own = np.maximum(fed - fixed - most * number, 0) + fixed + number
        relays[(relays < 0) & (own <= room)] = number
    return np.where(relays < 0, room - fixed, relays)


def _shared_out(lines: Lines, fed: Array, own: Array, relays: Array) -> Array:
    """(k,) the splitter neuron of each line: the last lines of a neuron, in equal shares."""
    rank = np.arange(len(lines.source)) - (np.cumsum(fed) - fed)[lines.source]
    share = np.maximum(1, -(-(fed - own) // np.maximum(relays, 1)))
    first = np.cumsum(relays) - relays
    number = first[lines.source] + (rank - own[lines.source]) // share[lines.source]
    return np.where(rank >= own[lines.source], number, FREE)


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
    each = np.bincount(lines.relay[lines.relay >= 0], minlength=len(parent))
    begun = sum(node.size for node in network.nodes[: len(network.inputs) + index])
    return Split(network=_retimed(fresh, _behind(network, source), target),
                 slices=_with_runs(slices, len(network.populations), each, target),
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
    matrix = scipy.sparse.coo_array(integer_matrix(projection.map))
    target = [p.name for p in network.populations].index(projection.target)
    owner = slice_of_neurons(network, slices, target).astype(np.int64)
    key = lines.source[mine] * len(slices) + lines.slice[mine]
    order = np.argsort(key)
    row = matrix.row.astype(np.int64) + (projection.sources or (0, 0))[0]
    wanted = row * len(slices) + owner[matrix.col]
    by = lines.relay[mine][order[np.searchsorted(key[order], wanted)]]
    parts = []
    for name, shape, rows, chosen in (
            (projection.source, network.shape_of(projection.source), row, by < 0),
            (relay.name, relay.shape, by, by >= 0)):
        if chosen.any():
            part = scipy.sparse.csr_array(
                (matrix.data[chosen], (rows[chosen], matrix.col[chosen])),
                shape=(int(np.prod(shape)), matrix.shape[1]))
            parts.append(replace(projection, source=name, sources=None,
                                 map=from_matrix(part, shape, projection.map.out_shape)))
    return parts


def _retimed(network: Network, source: Population, target: Target) -> Network:
    try:
        return retime(network, target.formats.max_delay.value)[0]
    except NmcError as error:
        raise CoreLimitError(
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
