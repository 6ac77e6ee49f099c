"""The plain meaning of the mesh: every router every cycle, with lists and dictionaries."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

RIGHT, LEFT, DOWN, UP, CORE = range(5)
BACK = {RIGHT: LEFT, LEFT: RIGHT, DOWN: UP, UP: DOWN}


@dataclass
class Input:
    """A buffer and what its first packet is about."""

    packets: deque = field(default_factory=deque)
    wants: int = -1
    asks_from: int = 0
    owns: bool = False
    output_result: tuple | None = None  # (cycle, granted)
    switch_result: tuple | None = None


@dataclass
class Output:
    """Who owns it, how many places are behind it, whose turn it is."""

    room: int
    owner: int | None = None
    free_from: int = 0
    output_turn: int = 0
    switch_turn: int = 0


class PlainMesh:
    """The mesh of `mesh` and `router` (nmcompile's values), with nothing in it."""

    def __init__(self, mesh, router):
        self.mesh, self.router = mesh, router
        self.inputs = [[Input() for _ in range(mesh.ports)] for _ in range(mesh.n_routers)]
        self.outputs = [[Output(router.buffer) for _ in range(mesh.ports)]
                        for _ in range(mesh.n_routers)]
        self.space = [router.buffer] * mesh.n_nodes
        self.deliveries = defaultdict(list)  # cycle: [function]
        self.injected, self.arrived, self.routers = {}, {}, defaultdict(int)
        self.fullest = self.router_cycles = 0

    def run(self, packets):
        """Replay `packets`, (source, target, created) each."""
        self.packets = packets
        queues = [deque() for _ in self.space]
        for index in sorted(range(len(packets)), key=lambda i: packets[i][2]):
            queues[packets[index][0]].append(index)
        now = 0
        while len(self.arrived) < len(packets):
            for deliver in self.deliveries.pop(now, []):
                deliver(now)
            for node, queue in enumerate(queues):
                if queue and packets[queue[0]][2] <= now and self.space[node] > 0:
                    self.inject(node, queue.popleft(), now)
            for here in range(self.mesh.n_routers):
                self.router_cycles += any(entry.packets for entry in self.inputs[here])
                self.cycle(here, now)
            now += 1

    def inject(self, node, packet, now):
        self.space[node] -= 1
        self.injected[packet] = now
        here, core = divmod(node, self.mesh.cores)
        self.later(now + 2, lambda at: self.store(here, CORE + core, packet, at))

    def store(self, here, port, packet, now):
        entry = self.inputs[here][port]
        entry.packets.append(packet)
        self.routers[packet] += 1
        self.fullest = max(self.fullest, len(entry.packets))
        if len(entry.packets) == 1:
            self.begin(here, entry, now)

    def begin(self, here, entry, now):
        to, core = divmod(self.packets[entry.packets[0]][1], self.mesh.cores)
        (y, x), (to_y, to_x) = divmod(here, self.mesh.width), divmod(to, self.mesh.width)
        if x != to_x:
            entry.wants = RIGHT if x < to_x else LEFT
        elif y != to_y:
            entry.wants = DOWN if y < to_y else UP
        else:
            entry.wants = CORE + core
        entry.asks_from = now + self.router.routing

    def cycle(self, here, now):
        """One cycle of the router `here`: both allocations look, then both take effect."""
        inputs, outputs = self.inputs[here], self.outputs[here]
        self.ask_for_outputs(inputs, outputs, now)
        self.ask_for_switch(inputs, outputs, now)
        leaving = [port for port, entry in enumerate(inputs) if entry.switch_result
                   and entry.switch_result == (now, True) and self.has_room(outputs, entry, now)
                   and (entry.owns or entry.output_result == (now, True))]
        for port, entry in enumerate(inputs):
            if entry.output_result and entry.output_result[0] == now:
                if entry.output_result[1]:
                    entry.owns, outputs[entry.wants].owner = True, port
                    if not self.router.speculative:
                        entry.asks_from = now + 1
                entry.output_result = None
            if entry.switch_result and entry.switch_result[0] == now:
                entry.switch_result = None
        for port in leaving:
            self.leave(here, port, now)

    def ask_for_outputs(self, inputs, outputs, now):
        asking = [port for port, entry in enumerate(inputs) if entry.packets
                  and entry.asks_from <= now and not entry.owns and entry.output_result is None]
        due = now + self.router.output - 1
        granted = self.in_turn(outputs, "output_turn", [
            (port, inputs[port].wants) for port in asking if outputs[inputs[port].wants].owner is None])
        for port in asking:
            inputs[port].output_result = (due, port in granted)
        for entry in inputs:
            late = self.router.output > 1 and entry.output_result == (now, True)
            if late and outputs[entry.wants].owner is not None:
                entry.output_result = (now, False)

    def ask_for_switch(self, inputs, outputs, now):
        asking = [port for port, entry in enumerate(inputs) if entry.packets
                  and entry.asks_from <= now and entry.switch_result is None
                  and (entry.owns or self.router.speculative)]
        granted = self.in_turn(outputs, "switch_turn", [
            (port, inputs[port].wants) for port in asking
            if self.has_room(outputs, inputs[port], now)
            and (inputs[port].owns or outputs[inputs[port].wants].owner is None)])
        for port in asking:
            inputs[port].switch_result = (now + self.router.switch - 1, port in granted)

    def in_turn(self, outputs, turn, requests):
        """Of the inputs that ask for an output, the one whose turn it is, or that follows first."""
        granted = set()
        for wanted in {wants for _, wants in requests}:
            output = outputs[wanted]
            winner = min((port for port, wants in requests if wants == wanted),
                         key=lambda port: (port - getattr(output, turn)) % len(outputs))
            setattr(output, turn, (winner + 1) % len(outputs))
            granted.add(winner)
        return granted

    def has_room(self, outputs, entry, now):
        output = outputs[entry.wants]
        return output.room > 0 and output.free_from <= now

    def leave(self, here, port, now):
        entry = self.inputs[here][port]
        wants, packet = entry.wants, entry.packets.popleft()
        output = self.outputs[here][wants]
        entry.owns, output.owner, output.room = False, None, output.room - 1
        if wants < CORE:
            there, cycles, interval = self.link(here, wants)
            output.free_from = now + interval
            self.later(now + self.router.traversal + 1 + cycles,
                       lambda at: self.store(there, BACK[wants], packet, at))
        else:
            self.later(now + self.router.traversal + 2, lambda at: self.eject(output, packet, at))
        self.return_credit(here, port, now)
        if entry.packets:
            self.begin(here, entry, now + 1)

    def return_credit(self, here, port, now):
        if port < CORE:
            there, cycles, _ = self.link(here, port)
            self.later(now + 1 + cycles + self.router.credit,
                       lambda at: self.give(self.outputs[there][BACK[port]]))
        else:
            self.later(now + 2, lambda at: self.give_node(here * self.mesh.cores + port - CORE))

    def eject(self, output, packet, now):
        self.arrived[packet] = now
        self.later(now + 2 + self.router.credit, lambda at: self.give(output))

    def give(self, output):
        output.room += 1

    def give_node(self, node):
        self.space[node] += 1

    def link(self, here, port):
        """The router at the other end, the cycles of the link, and from packet to packet."""
        y, x = divmod(here, self.mesh.width)
        to_x = x + {RIGHT: 1, LEFT: -1}.get(port, 0)
        to_y = y + {DOWN: 1, UP: -1}.get(port, 0)
        columns, rows = self.mesh.chip or (self.mesh.width, self.mesh.height)
        across = (x // columns, y // rows) != (to_x // columns, to_y // rows)
        there = to_y * self.mesh.width + to_x
        if across:
            return there, self.mesh.chip_latency, self.mesh.chip_interval
        return there, self.router.link, 1

    def later(self, cycle, function):
        self.deliveries[cycle].append(function)
