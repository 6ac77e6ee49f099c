"""What the spikes of a step cost where routers copy packets: each link counts once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, rates_by_name
from nmcompile.mapping.multicast.program import Sent, sent_in, ways_in
from nmcompile.mapping.traffic import copies_between, sent_by
from nmcompile.simulator._traffic_kernels import count_by_owner, count_events
from nmcompile.simulator.traffic import Expected, Tally
from nmcompile.target.topology import LINKS, n_links, tile_number

BETWEEN_CHIPS = 2  # of a tally's hops


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """What one packet of each sender (s,) does.

    hops     (s,) int64 links that it crosses, all copies together
    longest  (s,) int64 links to the farthest core
    links    (s, links) 1 where it crosses a link
    heard    (s, slices) 1 where a core takes it for a slice; slices on one core take it once
    """

    hops: Array
    longest: Array
    links: scipy.sparse.csr_array
    heard: scipy.sparse.csr_array


class MulticastTraffic:
    """Counts the packets of a program with routers step by step."""

    def __init__(self, program: Program) -> None:
        sent = sent_in(program.network, program.mapping, program.target)
        self._program, self._senders, self._trees = program, sent.senders, trees_of(program, sent)
        self._n = len(program.mapping.slices)

    def tally(self, spikes: dict[str, Array], samples: int) -> Tally:
        """Counts for the spikes that all sources send in one step, (samples, n) int32 each."""
        fired = np.zeros((samples, len(self._senders.size)), np.int64)
        for name, owner in self._senders.of.items():
            count_by_owner(spikes[name], owner, fired)
        events = np.zeros((samples, self._n), np.int64)
        projections = self._program.network.projections
        for projection, axon in zip(projections, self._program.mapping.axons, strict=True):
            count_events(spikes[projection.source], axon.start, axon.slice, axon.synapses, events)
        trees = self._trees
        fired *= np.diff(trees.heard.indptr) > 0
        hops = np.zeros((samples, self._n + 1, 3), np.int64)
        hops[:, :, BETWEEN_CHIPS] = self._by_slice(fired * trees.hops)
        hop_s = self._program.target.time_s.hop_chip.value
        return Tally(
            events=events, packets_in=fired @ trees.heard, packets_out=self._by_slice(fired),
            hops=hops, loads=fired @ trees.links,
            longest=hop_s * ((fired > 0) * trees.longest).max(axis=1, initial=0))

    def _by_slice(self, counts: Array) -> Array:
        """(samples, slices + 1) of (samples, senders), the inputs together last."""
        inputs = counts[:, self._n:].sum(axis=1, keepdims=True)
        return np.concatenate([counts[:, : self._n], inputs], axis=1)


def expected_multicast(program: Program) -> Expected:
    """What the spikes of a step cost on average."""
    network, mapping, target = program.network, program.mapping, program.target
    sent, rates = sent_in(network, mapping, target), rates_by_name(network, mapping.rates)
    trees, n = trees_of(program, sent), len(mapping.slices)
    rate = sent_by(sent.senders, rates) * (np.diff(trees.heard.indptr) > 0)
    crossed, hops = rate * trees.hops, np.zeros((n + 1, 3))
    hops[:, BETWEEN_CHIPS] = np.append(crossed[:n], crossed[n:].sum())
    packets, _ = copies_between(network, mapping.slices, mapping.axons, rates, target)
    return Expected(packets=packets, sent=np.append(rate[:n], rate[n:].sum()), hops=hops,
                    loads=rate @ trees.links)


def trees_of(program: Program, sent: Sent) -> Trees:
    """The trees that the tables of a program make."""
    target, slices = program.target, program.mapping.slices
    ways, n = ways_in(program, sent), len(sent.senders.size)
    first_cores = np.arange(len(sent.machine), dtype=np.int32) * target.cores_per_chip
    tile = tile_number(target, first_cores)
    row, link = np.nonzero(ways.route[:, None] >> np.arange(len(LINKS)) & 1)
    links = scipy.sparse.coo_array(
        (np.ones(len(row), np.int64),
         (ways.source[row], tile[ways.chip[row]] * len(LINKS) + link)),
        shape=(n, n_links(target))).tocsr()
    longest = np.zeros(n, np.int64)
    np.maximum.at(longest, ways.source, ways.hops)
    source = np.repeat(np.arange(n), np.diff(sent.reached.indptr))
    _, once = np.unique(source * target.n_cores + slices.core[sent.reached.indices],
                        return_index=True)
    heard = scipy.sparse.coo_array(
        (np.ones(len(once), np.int64), (source[once], sent.reached.indices[once])),
        shape=sent.reached.shape).tocsr()
    return Trees(hops=np.diff(links.indptr).astype(np.int64), longest=longest, links=links,
                 heard=heard)
