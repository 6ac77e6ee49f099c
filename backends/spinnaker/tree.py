"""The ways of packets through SpiNNaker's routers, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.multicast.program import Sent, ways_in
from nmcompile.target.topology import LINKS

PER_S = 1e12  # of the kernels' time, picoseconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """The ways of each block's packets, as `core_arrays.Machine` has them."""

    visit_start: Array
    link: Array
    latency: Array
    next_start: Array
    next_visit: Array
    give_start: Array
    give_core: Array
    give_halvings: Array


def tree_of(program: Program, sent: Sent) -> Tree:
    """The ways of each block's packets through the tables of a program with routers."""
    machine, slices, routing = sent.machine, program.mapping.slices, program.mapping.routing
    assert routing is not None
    hop = np.int64(round(program.target.times.hop_chip.value * PER_S))
    ways, n_chips = ways_in(program, sent), len(machine)
    order = np.lexsort((ways.hops, ways.source))
    source, chip, route = (part[order] for part in (ways.source, ways.chip, ways.route))
    visits = source * n_chips + chip
    by_place = np.argsort(visits)
    row, link = np.nonzero(route[:, None] >> np.arange(len(LINKS)) & 1)
    behind = source[row] * n_chips + machine.neighbour[chip[row], link]
    child = by_place[np.searchsorted(visits[by_place], behind)]
    over = np.full(len(visits), -1, np.int64)
    over[child] = chip[row] * len(LINKS) + link
    given, core = np.nonzero(route[:, None] >> len(LINKS) & _bits(program))
    slice_of = np.full(program.target.n_cores, -1, np.int64)
    slice_of[slices.core[::-1]] = np.arange(len(slices))[::-1]
    heard = slice_of[chip[given] * program.target.cores_per_chip + core]
    blocks = len(sent.senders.size)
    return Tree(
        visit_start=np.searchsorted(source, np.arange(blocks + 1)), link=over,
        latency=np.full(len(visits), hop), next_visit=child.astype(np.int64),
        next_start=np.searchsorted(row, np.arange(len(visits) + 1)), give_core=heard,
        give_start=np.searchsorted(given, np.arange(len(visits) + 1)),
        give_halvings=_halvings(heard, routing.keys.key[source[given]].astype(np.int64)))


def _bits(program: Program) -> Array:
    """The bit of each core of a chip in a route, once links are shifted out; 0 is the monitor."""
    return np.left_shift(2, np.arange(program.target.cores_per_chip))


def _halvings(core: Array, key: Array) -> Array:
    """(k,) how often a core halves its table of sources, by rising keys, to find each."""
    order = np.lexsort((key, core))
    first = np.searchsorted(core[order], core[order])
    entries = np.searchsorted(core[order], core[order], "right") - first
    rank, found = np.arange(len(core)) - first, np.zeros(len(core), np.int64)
    low, high, looking = np.zeros(len(core), np.int64), entries.copy(), entries > 0
    while looking.any():
        middle = (low + high) // 2
        found += looking
        looking &= middle != rank
        low = np.where(looking & (middle < rank), middle + 1, low)
        high = np.where(looking & (middle > rank), middle, high)
    times = np.empty(len(core), np.int64)
    times[order] = found
    return times
