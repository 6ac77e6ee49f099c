"""The plain model of SpiNNaker's cores in time: objects, lists, and the nearest event first."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from nmcompile_backends.spinnaker.arithmetic import ACCUMS, FRACTIONS, SpinnakerNeuron
from nmcompile_backends.spinnaker.ring import slots_of

from nmcompile.mapping import Program
from nmcompile.mapping.capacity import run_of_lines
from nmcompile.mapping.multicast.machine import machine_of
from nmcompile.passes.legalize.conv_algebra import integer_matrix
from nmcompile.target import Target

LINKS = 6


class Neuron:
    """One neuron: its own registers and its readable step."""

    def __init__(self, neuron: SpinnakerNeuron, shape: tuple[int, ...], number: int) -> None:
        own = {name: np.broadcast_to(getattr(neuron, name), shape).reshape(-1)[number]
               for name in (*ACCUMS, *FRACTIONS)}
        self.neuron = replace(neuron, **own)
        self.state = {k: np.array([own[f"{k}_init"]], np.int32) for k in ("exc", "inh", "v")}
        self.state["hold"] = np.array([neuron.early], np.int32)

    def take(self, sums: list[int]) -> None:
        """Add what a timer took from the ring buffers."""
        for name, total in zip(("exc", "inh"), sums, strict=True):
            gain = getattr(self.neuron, f"{name}_gain")
            shift = getattr(self.neuron, f"shift_{name}")
            self.state[name] = self.neuron._arrived(
                self.state[name], np.array([total]), gain, shift).astype(np.int32)

    def update(self) -> bool:
        self.state, fired = self.neuron.step(self.state, np.zeros((1, 2), np.int64))
        return bool(fired[0])


class Core:
    """One processor; times in picoseconds."""

    def __init__(self, cost: dict[str, int], neurons: list[Neuron], slots: int, start: int) -> None:
        self.cost, self.neurons, self.start_tick = cost, neurons, start
        self.ring = [[[0, 0] for _ in neurons] for _ in range(slots)]
        self.now = self.packets = self.worked = self.late_rows = self.skipped = self.lost = 0
        self.late_updates = self.waited = self.added = self.colour = 0
        self.missed, self.clock, self.timer = 0, -1, False
        self.interrupt: tuple | None = None  # what, picoseconds left
        self.user = self.busy = False
        self.queue: deque = deque()  # rows of a spike, its colour, what it takes to find it
        self.more: list = []  # further rows of the spike at hand, and its colour
        self.coming: tuple | None = None
        self.arrives: int | None = None
        self.loaded: tuple | None = None
        self.ticks: deque = deque()
        self.tick = -1
        self.place = self.phase = 0  # the neuron that is updated or sends, picoseconds left of it
        self.sending = False

    @property
    def updates(self) -> bool:
        return self.tick >= 0

    def start(self, tick: int) -> None:
        """Begin the updates of a tick."""
        self.tick, self.place, self.phase, self.sending = tick, 0, self.cost["update"], False
        self.become: dict[int, dict] = {}

    def timer_ended(self) -> None:
        """Take the sums of the tick, and have its updates wait."""
        slot = self.ring[self.clock % len(self.ring)]
        for neuron, sums in zip(self.neurons, slot, strict=True):
            if self.clock >= self.start_tick:
                neuron.take(sums)
            sums[:] = [0, 0]
        if len(self.ticks) == self.cost["ticks"]:
            self.missed += 1
        else:
            self.ticks.append(self.clock)

    def add_row(self) -> int:
        """Add a row to the ring buffers, as far as its time is to come; what that takes."""
        (synapses, delay, weights), colour = self.loaded
        late = (self.clock - colour) % self.cost["colours"]
        self.late_rows += late > 0
        if 0 < delay <= late:
            self.skipped += synapses
            return self.cost["row"] + synapses * self.cost["skipped"]
        self.added += synapses
        slot = self.ring[(self.clock - late + delay) % len(self.ring)]
        for kind, place, weight in weights:
            slot[place][kind] = min(slot[place][kind] + weight, 0xFFFF)
        return self.cost["row"] + synapses * self.cost["synapse"]

    def left(self) -> int | None:
        """Picoseconds to the next moment that something ends in; None if nothing goes on."""
        if self.packets:
            return self.packets
        if self.interrupt:
            return self.interrupt[1]
        if self.updates:
            return self.phase if self.arrives is None else min(
                self.phase, self.arrives - self.now)
        return None if self.arrives is None else self.arrives - self.now

    def pass_time(self, spent: int) -> None:
        self.now += spent
        if self.packets:
            self.packets -= spent
        elif self.interrupt:
            self.interrupt = (self.interrupt[0], self.interrupt[1] - spent)
        elif self.updates:
            self.phase -= spent
        else:
            return
        self.worked += spent

    def find(self) -> int:
        """Take the next row that is there; what looking for it takes."""
        taken, self.coming = 0, None
        if self.more:
            taken += self.cost["lookup"]
        while not self.more and self.queue:
            rows, colour, lookup = self.queue.popleft()
            taken += lookup
            self.more = [(row, colour) for row in rows]
        if self.more:
            self.coming = self.more.pop(0)
            taken += self.cost["transfer"]
        return taken

    def ended(self) -> bool:
        """Do what follows where something has just ended; whether it has."""
        if self.packets or (self.interrupt and self.interrupt[1]) or not self.interrupt:
            return False
        what, _ = self.interrupt
        self.interrupt = None
        if what == "timer":
            self.timer_ended()
        elif what in ("start", "done"):
            if self.coming:
                self.arrives = self.now + self.cost["fetch"]
            elif self.queue:
                self.interrupt = (what, self.find())
                return True
            else:
                self.busy = False
            if what == "done":
                self.interrupt = ("row", self.add_row())
        return True

    def begin(self) -> bool:
        """Begin an interrupt that waits, where nothing of its kind goes on."""
        if self.packets or self.interrupt:
            return False
        if self.timer:
            self.timer, self.clock = False, self.clock + 1
            self.interrupt = ("timer", self.cost["timer"])
        elif self.arrives is not None and self.arrives <= self.now:
            self.arrives, self.loaded = None, self.coming
            self.interrupt = ("done", self.find())
        elif self.user:
            self.user = False
            self.interrupt = ("start", self.cost["start"] + self.find())
        else:
            return False
        return True

    def receive(self, rows: list, colour: int, lookup: int) -> None:
        self.packets += self.cost["receive"]
        if len(self.queue) == self.cost["buffer"]:
            self.lost += 1
            return
        self.queue.append((rows, colour, lookup))
        if not self.busy:
            self.busy = self.user = True


class Plain:
    """A program's cores, routers and links."""

    def __init__(self, program: Program) -> None:
        target, slices = program.target, program.mapping.slices
        self.program, self.cost = program, costs(target)
        self.machine = machine_of(target, program.mapping.faults)
        self.keys = program.mapping.routing.keys.key.tolist()
        self._number_senders()
        self.ways = [self._ways(block) for block in range(len(self.keys))]
        self.tables = [sorted(self.keys[block] for block, (_, _, heard) in enumerate(self.ways)
                              if core in {c for c, _ in heard}) for core in range(len(slices))]
        self.cores = [self._core(place) for place in range(len(slices))]
        self.free: dict[tuple[int, int], int] = {}
        self.entry = 0  # when the next input may enter
        # Time, core, sender, colour; an input has no core; a packet between routers has its block
        # behind those, and its link
        self.on_way: list[tuple] = []

    def _core(self, place: int) -> Core:
        population = self.program.network.populations[self.program.mapping.slices.population[place]]
        neurons = [Neuron(population.neuron, population.shape, number)
                   for number in self.program.mapping.slices.members(population.shape, place)]
        return Core(self.cost, neurons, int(slots_of(self.program)[place]), population.start)

    def run(self, steps: list[list[int]]) -> list[int]:
        """Cores that overran in each step, for the lines that spike in each.

        `spikes` then has the senders that spiked in each step's updates, `states` what neurons had
        become behind them.
        """
        overran = []
        self.spikes = [list(step) for step in steps]
        self.states: list[dict[int, dict]] = [{} for _ in steps]
        for tick, step in enumerate(steps):
            now, until = tick * self.cost["tick"], (tick + 1) * self.cost["tick"]
            lines = sorted(step)
            self.entry = max(self.entry, now)
            self.on_way += [(self.entry + i * self.cost["link"], len(self.cores), s, tick)
                            for i, s in enumerate(lines)]
            self.entry += len(lines) * self.cost["link"]
            for core in self.cores:
                core.missed, core.timer = core.missed + core.timer, True
            while now < until:
                self._deliver(now)
                for number, core in enumerate(self.cores):
                    self._settle(core, number)
                    while core.begin():
                        self._settle(core, number)
                ends = [core.now + left for core in self.cores
                        if (left := core.left()) is not None]
                now = min([*ends, *[event[0] for event in self.on_way], until])
                for number, core in enumerate(self.cores):
                    core.pass_time(now - core.now)
                    self._settle(core, number)
            for core in self.cores:
                core.late_updates += bool(core.updates or core.ticks)
                core.waited += len(core.queue)
            overran.append(sum(bool(core.updates or core.ticks or core.busy or core.interrupt)
                               for core in self.cores))
        return overran

    def _deliver(self, now: int) -> None:
        for event in sorted(e for e in self.on_way if e[0] == now):
            self.on_way.remove(event)
            _, core, sender, colour = event[:4]
            if core == len(self.cores):
                self._send(sender, colour, now)
            elif core > len(self.cores):
                self._cross(event[4], sender, colour, now)
            else:
                lookup = self.cost["lookup"] + self.cost["halving"] * self._halvings(core, sender)
                self.cores[core].receive(self.rows[sender].get(core, []), colour, lookup)

    def _settle(self, core: Core, number: int) -> None:
        """Let all that takes no more time happen, but begin no interrupt."""
        while True:
            if core.ended():
                continue
            if core.updates and core.phase == 0 and not core.packets and not core.interrupt:
                self._updated(core, self.senders[number])
            elif core.ticks and not core.updates:
                core.start(core.ticks.popleft())
            else:
                return

    def _updated(self, core: Core, senders: list[int]) -> None:
        """A neuron's update, or what it takes to send its spike, is over."""
        sender = senders[core.place]
        if core.sending:
            self.spikes[core.tick].append(sender)
            self._send(sender, core.colour, core.now)
        else:
            fires = core.neurons[core.place].update()
            core.become[sender] = dict(core.neurons[core.place].state)
            if fires:
                core.sending, core.phase = True, self.cost["spike"]
                return
        core.sending, core.phase = False, self.cost["update"]
        core.place += 1
        if core.place == len(core.neurons):
            self.states[core.tick] |= core.become
            core.colour, core.tick = core.colour + 1, -1

    def _send(self, sender: int, colour: int, at: int) -> None:
        home, _, heard = self.ways[self.block[sender]]
        if heard:
            self._pass(home, sender, colour, at)

    def _cross(self, way: tuple[int, int, int], sender: int, colour: int, at: int) -> None:
        """Take a link, once the packets that came to it before are on their way."""
        chip, link, to = way
        leaves = max(at, self.free.get((chip, link), 0))
        self.free[chip, link] = leaves + self.cost["link"]
        self._pass(to, sender, colour, leaves)

    def _pass(self, chip: int, sender: int, colour: int, at: int) -> None:
        """Pass a router: copies to its cores, and to its links."""
        _, links, heard = self.ways[self.block[sender]]
        there = at + self.cost["hop"]
        self.on_way += [(there, core, sender, colour) for core, on in heard if on == chip]
        behind = len(self.cores) + 1 + self.block[sender]
        self.on_way += [(there, behind, sender, colour, way) for way in links if way[0] == chip]

    def _number_senders(self) -> None:
        """Block, place on its core, and rows (core -> [(synapses, delay)]) of each sender."""
        network, slices = self.program.network, self.program.mapping.slices
        self.block, self.place, first, block = [], [], {}, len(slices)
        for port in network.inputs:
            first[port.name] = len(self.block)
            runs = run_of_lines(port.size, self.program.target)
            self.block += (block + runs).tolist()
            self.place += [0] * port.size
            block += int(runs.max()) + 1
        for number, population in enumerate(network.populations):
            first[population.name] = begin = len(self.block)
            self.block += [0] * population.size
            self.place += [0] * population.size
            for box in np.flatnonzero(slices.population == number).tolist():
                for place, neuron in enumerate(slices.members(population.shape, box).tolist()):
                    self.block[begin + neuron], self.place[begin + neuron] = box, place
        self.senders = [[] for _ in range(len(slices))]
        for number, (block, place) in enumerate(zip(self.block, self.place, strict=True)):
            if block < len(slices):
                self.senders[block].append((place, number))
        self.senders = [[number for _, number in sorted(own)] for own in self.senders]
        self.rows: list[dict[int, list]] = [{} for _ in self.block]
        room = slots_of(self.program).tolist()  # a delay as long as the ring stands as 0
        for projection, axons in zip(network.projections, self.program.mapping.axons, strict=True):
            matrix = integer_matrix(projection.map).toarray()
            of = [p.name for p in network.populations].index(projection.target)
            shape = network.populations[of].shape
            for line in range(len(axons.start) - 1):
                for axon in range(axons.start[line], axons.start[line + 1]):
                    core = int(axons.slice[axon])
                    weights = matrix[line, slices.members(shape, core)].tolist()
                    self.rows[first[projection.source] + line].setdefault(core, []).append(
                        (int(axons.synapses[axon]), projection.delay % room[core],
                         [(int(w < 0), place, abs(w)) for place, w in enumerate(weights) if w]))

    def _ways(self, block: int) -> tuple[int, list, list]:
        """The chip of a block, [(chip, link, chip behind)] nearest first, [(core, its chip)]."""
        slices, target = self.program.mapping.slices, self.program.target
        home = int(slices.core[block]) // target.cores_per_chip if block < len(slices) else 0
        links, heard, todo = [], [], deque([(home, None)])
        if not any(rows for rows, of in zip(self.rows, self.block, strict=True) if of == block):
            return home, [], []
        slice_at = {int(core): i for i, core in enumerate(slices.core)}
        while todo:
            chip, came = todo.popleft()
            route = self._route(chip, self.keys[block], came)
            heard += [(slice_at[chip * target.cores_per_chip + core], chip)
                      for core in range(target.cores_per_chip) if route >> (LINKS + 1 + core) & 1]
            for link in range(LINKS):
                if route >> link & 1:
                    links.append((chip, link, int(self.machine.neighbour[chip, link])))
                    todo.append((links[-1][2], link))
        return home, links, heard

    def _route(self, chip: int, key: int, came: int | None) -> int:
        tables = self.program.mapping.routing.tables
        for entry in range(tables.start[chip], tables.start[chip + 1]):
            if key & int(tables.mask[entry]) == int(tables.key[entry]):
                return int(tables.route[entry])
        assert came is not None
        return 1 << came

    def _halvings(self, core: int, sender: int) -> int:
        key, table, steps = self.keys[self.block[sender]], self.tables[core], 1
        low, high = 0, len(table)
        while table[(low + high) // 2] != key:
            middle, steps = (low + high) // 2, steps + 1
            low, high = (middle + 1, high) if table[middle] < key else (low, middle)
        return steps


def costs(target: Target) -> dict[str, int]:
    """What the model takes of a target, times in picoseconds."""
    loop, time = target.timer_loop, target.time_s
    seconds = {
        "update": time.neuron_update.value, "spike": time.spike_out.value,
        "synapse": time.synaptic_event.value, "lookup": loop.lookup.value[0],
        "halving": loop.lookup.value[1], "hop": time.hop_chip.value, "tick": time.tick.value,
        **{name: getattr(loop, name).value for name in (
            "timer", "receive", "start", "transfer", "row", "skipped", "fetch", "link")}}
    return {name: round(value * 1e12) for name, value in seconds.items()} | {
        name: getattr(loop, name).value for name in ("buffer", "ticks", "colours")}
