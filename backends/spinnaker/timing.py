"""The time of SpiNNaker's cores: updates on a timer, interrupted by packets and their rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from nmcompile_backends.spinnaker import _timing_kernels as kernels
from nmcompile_backends.spinnaker.ring import slots_of

from nmcompile.arithmetic.jit import threads
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program
from nmcompile.mapping.fan import fan_of, reached
from nmcompile.mapping.multicast.program import Sent, sent_in, ways_in
from nmcompile.target.schema import TimerLoop
from nmcompile.target.topology import LINKS

PER_S = 1e12  # of the kernels' time, picoseconds
LATE = {  # what is counted where a core is late, and where the kernel counts it
    "late_updates": kernels.LATE_UPDATES, "waiting_packets": kernels.LEFT_PACKETS,
    "late_rows": kernels.LATE_ROWS, "skipped_synapses": kernels.SKIPPED,
    "lost_packets": kernels.LOST, "skipped_ticks": kernels.MISSED}


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """The ways of each block's packets: see `_timing_kernels.sample`, whose `tree` these are."""

    start: Array
    link: Array
    latency: Array
    next_start: Array
    next_visit: Array
    give_start: Array
    give_core: Array
    give_halvings: Array

    def arrays(self) -> tuple[Array, ...]:
        """As the kernel takes them."""
        return (self.start, self.link, self.latency, self.next_start, self.next_visit,
                self.give_start, self.give_core, self.give_halvings)


@dataclass(kw_only=True, eq=False)
class _Sample:
    """Where one sample's cores are between two blocks; see the kernel."""

    state: Array
    ticks: Array
    queue: Array
    links: Array
    pending: Array
    past: tuple[Array, Array, Array]


class SpinnakerTiming:
    """Cores under sPyNNaker 7.4.1, each with a timer that no one waits for.

    On each tick a core's timer interrupt takes its ring buffers' sums, and in the background it
    updates its neurons, which send as they fire. A packet crosses routers and links, those that it
    shares with others in turn, and interrupts whatever its cores do; it waits for its row, which is
    looked up, fetched from SDRAM beside the processor, and added synapse by synapse. These are
    interrupts too: updates wait for them (priorities of sPyNNaker 7.4.1 c_main.c: packets -1,
    transfers, fetching and timer 0, updates 1; spin1_api_params.h: timer ahead of transfers).
    Input lines fire one after the other from the tick on, at the rate of a link, behind those of
    the ticks before.

    A step takes a tick, whatever the work. What is not done by then is counted: ticks whose updates
    were late, packets that waited, rows that were added late, packets lost in a full buffer. A core
    tells by a spike's colour how late it is, and leaves out the synapses of a late row whose time
    has passed (synapses.c, process_fixed_synapses): these are counted as skipped. **Spikes,
    packets, hops and synaptic events are those of a run in which nothing comes late**, so that they
    agree with each other; only the time that cores work, and what is late, are of the cores here.
    Where synapses were skipped, packets lost or updates late, the chip's spikes would differ.

    All timers run alike. Not modelled: packets that routers drop, rows that are still at hand and
    not fetched again, SDRAM that several cores read, words of a row (fetched while others are
    added).
    """

    name = "timer loop"

    def __init__(self, program: Program, loop: TimerLoop, tick_s: float) -> None:
        cost = program.target.time_s
        self._tick_s, self._loop = tick_s, loop
        seconds = (cost.neuron_update.value, cost.spike_out.value, loop.timer.value,
                   loop.receive.value, loop.start.value, *loop.lookup.value, loop.transfer.value,
                   loop.row.value, loop.fetch.value, cost.synaptic_event.value, loop.link.value,
                   tick_s)
        self._costs = np.rint(np.array(seconds) * PER_S).astype(np.int64)
        self._fan = fan = fan_of(program)
        self._neurons = program.mapping.slices.sizes().astype(np.int64)
        self._place = _places(fan.owner, fan.n)
        sent = sent_in(program.network, program.mapping, program.target)
        self._block = np.concatenate([
            sent.senders.of[node.name] for node in program.network.nodes]).astype(np.int64)
        self._tree = tree_of(program, sent)
        self._n_links = len(sent.machine) * len(LINKS)
        self._delay = self._fan.delay & (slots_of(program)[self._fan.slice] - 1)
        self._pool = ThreadPoolExecutor(threads())

    @property
    def sample_bytes(self) -> int:
        """Of the state of a sample."""
        loop, links = self._loop, self._n_links + 1
        own = (kernels.N_STATE + kernels.N_COUNTS + loop.ticks.value + 3 * loop.buffer.value
               + 2 * (loop.ticks.value + 2))
        return 8 * (self._fan.n * own + links)

    def begin(self, samples: int) -> None:
        """A new batch: all cores wait for their first tick."""
        n, loop = self._fan.n, self._loop
        state = np.zeros((n, kernels.N_STATE), np.int64)
        state[:, kernels.ARRIVES] = kernels.NEVER
        state[:, [kernels.TICK, kernels.CLOCK, kernels.COMING]] = -1
        self._begun = 0
        self._samples = [
            _Sample(state=state.copy(), ticks=np.zeros((n, loop.ticks.value), np.int64),
                    queue=np.zeros((n, loop.buffer.value, 3), np.int64),
                    links=np.zeros(self._n_links + 1, np.int64),
                    pending=np.zeros((0, 5), np.int64), past=self._nothing())
            for _ in range(samples)]

    def _nothing(self) -> tuple[Array, Array, Array]:
        """Cores that have no tick to update."""
        kept = np.full((self._fan.n, self._loop.ticks.value + 2), -1, np.int64)
        return np.zeros(kept.size + 1, np.int64), np.zeros((0, 2), np.int64), kept

    def keep(self, rows: Array) -> None:
        """Only these samples of the batch go on."""
        self._samples = [self._samples[row] for row in rows.tolist()]

    def add(self, frames: Frames) -> Costs:
        """What the next block takes."""
        parts = list(self._pool.map(lambda i: self._sample(frames, i), range(frames.samples)))
        self._begun += frames.steps
        overran = np.stack([part[0] for part in parts], axis=1).reshape(-1)
        counts = np.sum([part[1] for part in parts], axis=0)
        found = reached(self._fan, frames)
        packets_out, hops, packets_in = self._carried(frames)
        return Costs(
            step_s=np.full(len(frames), self._tick_s), spikes=found.spikes,
            packets_out=packets_out, hops=hops, events=found.events, packets_in=packets_in,
            busy_s=counts[:, kernels.WORKED] / PER_S, overran=overran,
            late={name: counts[:, column] for name, column in LATE.items()})

    def _carried(self, frames: Frames) -> tuple[Array, Array, Array]:
        """Packets out, hops and packets in, as `Costs` has them, of all spikes of a block."""
        n, tree = self._fan.n, self._tree
        visits, gives = np.diff(tree.start), np.diff(tree.give_start)
        fired = np.bincount(self._block[frames.sender], minlength=len(visits))
        sent = np.stack([fired * (visits > 0), fired * np.maximum(visits - 1, 0)])
        own, lines = sent[:, :n], sent[:, n:].sum(axis=1, keepdims=True)
        packets_out, links = np.concatenate([own, lines], axis=1)
        heard = np.repeat(np.repeat(fired, visits), gives)
        packets_in = np.zeros(n, np.int64)
        np.add.at(packets_in, tree.give_core, heard)
        return packets_out, np.stack([0 * links, 0 * links, links], axis=1), packets_in

    def _sample(self, frames: Frames, number: int) -> tuple[Array, Array]:
        """Cores that overran in each step, and counts."""
        own, n = self._samples[number], self._fan.n
        starts = frames.start[number :: frames.samples]
        ends = frames.start[number + 1 :: frames.samples]
        new = [frames.sender[a:b] for a, b in zip(starts, ends, strict=False)]
        sender = np.concatenate(new).astype(np.int64)
        step = np.repeat(np.arange(len(new)), [len(part) for part in new])
        group = step * (n + 1) + self._fan.owner[sender]
        order = np.argsort(group, kind="stable")
        fired_start = np.searchsorted(group[order], np.arange(len(new) * (n + 1) + 1))
        fired = np.stack([self._place[sender[order]], sender[order]], axis=1)
        old_start, old_fired, kept = own.past
        told = (np.concatenate([old_start, fired_start[1:] + len(old_fired)]),
                np.concatenate([old_fired, fired]), kept, self._begun)
        overran = np.zeros(len(new), np.int64)
        counts = np.zeros((n, kernels.N_COUNTS), np.int64)
        fan = self._fan
        own.pending, own.past = kernels.sample(
            self._begun + len(new), told, self._block, self._neurons, self._tree.arrays(),
            (fan.start, fan.slice, fan.synapses, self._delay),
            self._costs, self._loop.colours.value, own.state, own.ticks, own.queue, own.links,
            own.pending, overran, counts)
        return overran, counts


def tree_of(program: Program, sent: Sent) -> Tree:
    """The ways of each block's packets through the tables of a program with routers."""
    machine, slices, routing = sent.machine, program.mapping.slices, program.mapping.routing
    assert routing is not None
    hop = np.int64(round(program.target.time_s.hop_chip.value * PER_S))
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
        start=np.searchsorted(source, np.arange(blocks + 1)), link=over,
        latency=np.full(len(visits), hop), next_visit=child.astype(np.int64),
        next_start=np.searchsorted(row, np.arange(len(visits) + 1)), give_core=heard,
        give_start=np.searchsorted(given, np.arange(len(visits) + 1)),
        give_halvings=_halvings(heard, routing.keys.key[source[given]].astype(np.int64)))


def _bits(program: Program) -> Array:
    """The bit of each core of a chip in a route, once links are shifted out; 0 is the monitor."""
    return np.left_shift(2, np.arange(program.target.cores_per_chip))


def _places(owner: Array, n: int) -> Array:
    """(senders,) the place of each neuron among those of its slice; 0 for lines of inputs."""
    order = np.argsort(owner, kind="stable")
    place = np.empty(len(owner), np.int64)
    place[order] = np.arange(len(owner)) - np.searchsorted(owner[order], owner[order])
    return np.where(owner < n, place, 0)


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
