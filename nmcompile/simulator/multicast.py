"""What the spikes of a step cost where routers copy packets: each link counts once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program, rates_by_name
from nmcompile.mapping.capacity import compartments
from nmcompile.mapping.multicast.program import Sent, sent_in, ways_in
from nmcompile.mapping.traffic import copies_between, sent_by
from nmcompile.simulator._events_kernels import count_events
from nmcompile.simulator.events import PICO, barrier_ps, joined_axons, picoseconds
from nmcompile.simulator.traffic import Expected
from nmcompile.target.topology import LINKS, n_links, tile_number

BETWEEN_CHIPS = 2  # of hops
CHUNK = 1 << 22  # numbers in tallies that are held at once


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Counts of some frames; the last slice stands for the inputs where packets begin.

    events, packets_in   (frames, slices) int64
    fired, packets_out   (frames, slices + 1) int64
    hops                 (frames, slices + 1) int64 links that packets cross, all copies together
    loads                (frames, links) int64
    longest              (frames,) int64 links to the farthest core that a packet goes to
    """

    fired: Array
    events: Array
    packets_in: Array
    packets_out: Array
    hops: Array
    loads: Array
    longest: Array


class MulticastTraffic:
    """Counts the packets of a program with routers, frame by frame."""

    def __init__(self, program: Program) -> None:
        network = program.network
        sent = sent_in(network, program.mapping, program.target)
        self._trees, self._axon = trees_of(program, sent), joined_axons(program)
        self._n = len(program.mapping.slices)
        self._sender = np.concatenate([sent.senders.of[node.name] for node in network.nodes])

    @property
    def width(self) -> int:
        """Numbers that a frame takes."""
        return sum(self._trees.heard.shape) + self._trees.links.shape[1]

    def tally(self, frames: Frames, first: int, end: int) -> Tally:
        """Counts for frames `first` to `end` of a block."""
        start = frames.start[first : end + 1]
        sender = frames.sender[start[0] : start[-1]]
        trees = self._trees
        shape = (end - first, len(trees.hops))
        spikes = np.ones(len(sender), np.int64)
        fired = scipy.sparse.csr_array(
            (spikes, self._sender[sender], start - start[0]), shape=shape).toarray()
        events = np.zeros((end - first, self._n), np.int64)
        count_events(start - start[0], sender, self._axon, events)
        sent = fired * (np.diff(trees.heard.indptr) > 0)
        return Tally(
            fired=self._by_slice(fired), events=events, packets_in=sent @ trees.heard,
            packets_out=self._by_slice(sent), hops=self._by_slice(sent * trees.hops),
            loads=sent @ trees.links,
            longest=((sent > 0) * trees.longest).max(axis=1, initial=0))

    def _by_slice(self, counts: Array) -> Array:
        """(frames, slices + 1) of (frames, senders), the inputs together last."""
        inputs = counts[:, self._n:].sum(axis=1, keepdims=True)
        return np.concatenate([counts[:, : self._n], inputs], axis=1)


class MulticastTiming:
    """The time of each step where routers copy packets, from counts alone.

    As `FastTiming`: a packet takes the time of a hop on each link that it crosses.
    """

    name = "fast"

    def __init__(self, program: Program) -> None:
        self._traffic, self._cost = MulticastTraffic(program), program.target.times
        cores, on_core = np.unique(program.mapping.slices.core, return_inverse=True)
        ones, columns = np.ones(len(on_core), np.int64), np.arange(len(on_core))
        self._core, self._on_core = on_core, scipy.sparse.csr_array((ones, (on_core, columns)))
        self._compartments = compartments(program.network, program.mapping.slices)
        self._barrier = barrier_ps(program, cores)
        self._tick = picoseconds(self._cost.tick.value) if self._cost.tick else 0
        serial = self._cost.sequential
        self._serial = serial is not None and serial.value

    def begin(self, samples: int) -> None:
        """Steps do not depend on each other."""

    def keep(self, rows: Array) -> None:
        """Steps of samples do not depend on each other."""

    def add(self, frames: Frames) -> Costs:
        """What a block takes."""
        size = max(1, CHUNK // self._traffic.width)
        parts = [self._costs(self._traffic.tally(frames, first, min(first + size, len(frames))))
                 for first in range(0, len(frames), size)]
        return Costs(
            step_s=np.concatenate([part.step_s for part in parts]),
            **{name: sum(getattr(part, name) for part in parts)
               for name in ("spikes", "packets_out", "hops", "events", "packets_in", "busy_s")})

    def _costs(self, tally: Tally) -> Costs:
        cost = self._cost
        sending = (
            self._compartments * picoseconds(cost.neuron_update.value)
            + tally.fired[:, :-1] * picoseconds(cost.spike_out.value)
            + tally.packets_out[:, :-1] * picoseconds(cost.packet_out.value))
        receiving = (
            tally.packets_in * picoseconds(cost.packet_in.value)
            + tally.events * picoseconds(cost.synaptic_event.value))
        hop, none = picoseconds(cost.hop_chip.value), np.zeros_like(tally.hops[0])
        if self._serial:
            sending, receiving = sending + receiving, np.zeros_like(receiving)
        of_core = self._on_core @ sending.T, self._on_core @ receiving.T
        slowest = np.maximum(*of_core).max(axis=0)
        sends_more = (of_core[0] >= of_core[1])[self._core].T
        worked = np.maximum(slowest, hop * tally.loads.max(axis=1)) + hop * tally.longest
        step = np.maximum(worked + self._barrier, self._tick)
        return Costs(
            step_s=step / PICO, spikes=tally.fired.sum(axis=0),
            packets_out=tally.packets_out.sum(axis=0),
            hops=np.stack([none, none, tally.hops.sum(axis=0)], axis=1),
            events=tally.events.sum(axis=0), packets_in=tally.packets_in.sum(axis=0),
            busy_s=np.where(sends_more, sending, receiving).sum(axis=0) / PICO)


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
