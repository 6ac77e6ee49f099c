"""SpiNNaker's cores in time: what they compute where packets and updates may come late."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
from nmcompile_backends.spinnaker import _timing_kernels as kernels
from nmcompile_backends.spinnaker import core_arrays as cores
from nmcompile_backends.spinnaker.cores import first_states, machine_of
from nmcompile_backends.spinnaker.tree import PER_S
from nmcompile_backends.spinnaker.window import Window

from nmcompile.arithmetic.jit import threads
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Disturb, Frames, Log, Program
from nmcompile.mapping.fan import fan_of
from nmcompile.mapping.multicast.program import sent_in
from nmcompile.target.schema import TimerLoop
from nmcompile.target.topology import LINKS

UPDATES = 1 << 22  # of neurons, that all samples make at most before spikes are handed on
BLOCK = 64  # ticks until then, at most
LATE = {  # what is counted where a core is late, and where the kernel counts it
    "late_updates": cores.LATE_UPDATES, "waiting_packets": cores.LEFT_PACKETS,
    "late_rows": cores.LATE_ROWS, "skipped_synapses": cores.SKIPPED,
    "lost_packets": cores.LOST, "skipped_ticks": cores.MISSED}


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

    A step takes a tick, whatever the work, and what is not done by then comes late: so spikes are
    computed here, with the neurons' own arithmetic, and are those of cores that are late. Neurons
    that a timer's interrupt finds not updated get its sums with those of the tick before. A spike
    has the number of its core's updates as its colour, 4 bits of it (neuron.c): from this a core
    tells how late a row is, adds it to the steps that are still to come, and leaves out the
    synapses whose time has passed (synapses.c, `process_fixed_synapses`). Packets that find no room
    are lost, as are ticks that wait for their updates; a core that skips ticks falls behind in its
    colours, so that what it sends counts as late.

    Counted are ticks whose updates were late, packets that waited, rows that were late, synapses
    left out, and packets and ticks lost. A step's spikes and states are those of its tick's
    updates, whenever these are made; what is not updated when the run is over, is not. Packets and
    hops are those of these spikes, synaptic events those that were added to ring buffers.

    All timers run alike. Not modelled: packets that routers drop, rows that are still at hand and
    not fetched again, SDRAM that several cores read, words of a row (fetched while others are
    added), what a timer changes of the one neuron whose update it interrupts (which counts as not
    begun).
    """

    name = "timer loop"

    def __init__(self, program: Program, loop: TimerLoop, tick_s: float) -> None:
        self._program, self._tick_s, self._loop = program, tick_s, loop
        self._fan = fan = fan_of(program)
        sent = sent_in(program.network, program.mapping, program.target)
        self._machine = machine_of(program, loop, tick_s, fan, sent)
        self._first = first_states(program)
        self._n_links = len(sent.machine) * len(LINKS)
        self._pool = ThreadPoolExecutor(threads())
        self._entries = int((2 * self._sizes * self._machine.cores[:, cores.SLOTS]).sum())

    @property
    def _sizes(self) -> Array:
        return self._machine.cores[:, cores.SIZE]

    @property
    def sample_bytes(self) -> int:
        """Of the state of a sample."""
        loop, neurons = self._loop, len(self._machine.sender)
        own = cores.N_STATE + loop.ticks.value + 3 * loop.buffer.value
        return 8 * (self._fan.n * own + self._n_links + 1) + 2 * self._entries + 36 * neurons

    @property
    def step_bytes(self) -> int:
        """Of a step of a sample that waits for a core's updates."""
        return 2 * len(self._machine.block) + self._fan.n * (8 * cores.N_COUNTS + 1)

    def begin(self, samples: int) -> None:
        """A new batch: all cores wait for their first tick."""
        self._rows = np.arange(samples)
        self._samples = [self._reset() for _ in range(samples)]
        self._pending = [np.zeros((0, 5), np.int64)] * samples
        self._window = Window(self._program, self._machine, self._first, samples)

    def _reset(self) -> cores.Sample:
        n, loop = self._fan.n, self._loop
        state = np.zeros((n, cores.N_STATE), np.int64)
        state[:, cores.ARRIVES] = cores.NEVER
        state[:, [cores.TICK, cores.CLOCK, cores.COMING]] = -1
        return cores.Sample(
            state=state, ticks=np.zeros((n, loop.ticks.value), np.int64),
            queue=np.zeros((n, loop.buffer.value, 3), np.int64),
            links=np.zeros(self._n_links + 1, np.int64), ring=np.zeros(self._entries, np.uint16),
            now=tuple(part.copy() for part in self._first),
            after=tuple(part.copy() for part in self._first),
            sends=np.zeros(len(self._machine.sender), np.int32))

    def keep(self, rows: Array) -> None:
        """Only these samples of the batch go on."""
        self._rows = self._rows[rows]

    def run(
        self, inputs: dict[str, Array], chip_steps: int, log: Log,
        hand_on: Callable[[Frames], bool] | None = None, disturb: Disturb | None = None,
    ) -> None:
        """Run the batch that has begun; see `mapping.Coupled`."""
        self.watch(log, disturb)
        block = min(max(1, UPDATES // (len(self._machine.sender) * len(self._samples))), BLOCK)
        for begin in range(0, chip_steps, block):
            end = min(begin + block, chip_steps)
            frames = self.advance(inputs, range(begin, end), log, over=end == chip_steps)
            if hand_on is not None and not hand_on(frames):
                return

    def watch(self, log: Log, disturb: Disturb | None = None) -> None:
        """See `mapping.Coupled`."""
        self._window.watch(log, disturb)

    def advance(
        self, inputs: dict[str, Array], steps: range, log: Log, over: bool = False
    ) -> Frames:
        """See `mapping.Coupled`."""
        self._window.extend(inputs, steps.start, len(steps))
        list(self._pool.map(self._advance, self._rows.tolist(), repeat(steps.start)))
        return self._window.settle(steps.stop if over else self._settled(), log)

    def _advance(self, row: int, begin: int) -> None:
        """Run the newest ticks of one sample."""
        given, told, overran, counts = self._window.of_sample(row, begin)
        self._pending[row] = kernels.run(
            begin, given, self._machine, self._samples[row], told, self._pending[row], overran,
            counts)

    def _settled(self) -> int:
        """The first tick of which updates of some core are still to be made."""
        state = np.stack([self._samples[row].state for row in self._rows.tolist()])
        waits = state[..., cores.CLOCK] + (state[..., cores.KIND] != cores.TIMER)
        tick = state[..., cores.TICK]
        return int(np.where(tick >= 0, tick, waits).min())

    def add(self, frames: Frames) -> Costs:
        """What the next steps took of those that `run` has handed on."""
        counts, overran = self._window.taken(frames.steps, self._rows)
        packets_out, hops, packets_in = self._carried(frames)
        return Costs(
            step_s=np.full(len(frames), self._tick_s), packets_out=packets_out, hops=hops,
            spikes=np.bincount(self._fan.owner[frames.sender], minlength=self._fan.n + 1),
            events=counts[:, cores.EVENTS], packets_in=packets_in,
            busy_s=counts[:, cores.WORKED] / PER_S, overran=overran.reshape(-1),
            late={name: counts[:, column] for name, column in LATE.items()})

    def _carried(self, frames: Frames) -> tuple[Array, Array, Array]:
        """Packets out, hops and packets in, as `Costs` has them, of all spikes of a block."""
        n, machine = self._fan.n, self._machine
        visits, gives = np.diff(machine.visit_start), np.diff(machine.give_start)
        fired = np.bincount(machine.block[frames.sender], minlength=len(visits))
        sent = np.stack([fired * (visits > 0), fired * np.maximum(visits - 1, 0)])
        own, lines = sent[:, :n], sent[:, n:].sum(axis=1, keepdims=True)
        packets_out, links = np.concatenate([own, lines], axis=1)
        heard = np.repeat(np.repeat(fired, visits), gives)
        packets_in = np.zeros(n, np.int64)
        np.add.at(packets_in, machine.give_core, heard)
        return packets_out, np.stack([0 * links, 0 * links, links], axis=1), packets_in
