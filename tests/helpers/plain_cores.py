"""The plain meaning of a step on a mesh of cores: every input and output at every moment.

At each moment, in this order: cores hand on the packets that are ready and have a place; the first
packet of each input asks for its output; each output takes one packet. What it does is seen later.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from nmcompile.ir.neurons.base import compartments_of
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.target.topology import INPUT_TILE, board_width, tile_position

EAST, WEST, NORTH, SOUTH = "east", "west", "north", "south"
WAYS = {EAST: (1, 0), WEST: (-1, 0), NORTH: (0, -1), SOUTH: (0, 1)}
BACK = {EAST: WEST, WEST: EAST, NORTH: SOUTH, SOUTH: NORTH}
HOST = "host"


def ps(constant, least=0):
    return max(least, round(constant.value * 1e12))


@dataclass
class Buffer:
    """An input: its packets, and when each of its places is free; None while it is taken."""

    places: int
    packets: deque = field(default_factory=deque)  # (there, packet)
    taken: int = 0
    returning: list = field(default_factory=list)
    asks_from: int = 0

    def has_place(self, now):
        self.returning = [when for when in self.returning if when > now]
        return self.taken + len(self.returning) < self.places


@dataclass
class Output:
    free: int = 0
    last: int | None = None


@dataclass
class Core:
    """What it sends, in order, and what has reached it."""

    program: deque = field(default_factory=deque)  # (work before it, packet)
    worked: int = 0  # until its last packet
    sent: int = 0
    done: int = 0
    ends: list = field(default_factory=list)  # when each packet that it holds is worked off


@dataclass
class Packet:
    to_tile: tuple
    to_core: object
    work: int
    legs: list
    arrived: int | None = None


class PlainStep:
    """One frame of `program`, whose spikes are `senders`, rising numbers of lines and neurons."""

    def __init__(self, program, senders, ways):
        self.program, self.target, self.ways = program, program.target, ways
        network = self.target.network
        self.interval = ps(network.interval, 1)
        self.credit = ps(network.credit, 1)
        self.packets, self.cores = [], {HOST: Core()}
        self.tile = {HOST: INPUT_TILE}
        for number in program.mapping.slices.core.tolist():
            self.cores[number] = Core()
            self.tile[number] = tuple(tile_position(self.target, np.array([number]))[0].tolist())
        self.buffers, self.outputs = {}, {}
        self.write(senders)

    def write(self, senders):
        """What each core works through."""
        network, slices, cost = self.program.network, self.program.mapping.slices, self.target.time_s
        total, numbers = dict.fromkeys(self.cores, 0), iter(range(10**9))
        for index, population in enumerate((*[None] * len(network.inputs), *network.populations)):
            node = network.inputs[index] if population is None else population
            owner = None if population is None else slice_of_neurons(
                network, slices, index - len(network.inputs))
            for i in range(node.size):
                home = HOST if owner is None else int(slices.core[owner[i]])
                fires = next(numbers) in senders
                if owner is not None:
                    total[home] += compartments_of(node.neuron) * ps(cost.neuron_update)
                    total[home] += fires * ps(cost.spike_out)
                if fires:
                    self.fire(node.name, i, home, total)
        for home, core in self.cores.items():
            core.rest = total[home] - core.worked

    def fire(self, source, i, home, total):
        """A packet for each axon of line or neuron `i`."""
        for p, axons in zip(
                self.program.network.projections, self.program.mapping.axons, strict=True):
            if p.source == source:
                for a in range(axons.start[i], axons.start[i + 1]):
                    if home != HOST:
                        total[home] += ps(self.target.time_s.packet_out)
                    self.send(home, total[home], int(self.program.mapping.slices.core[axons.slice[a]]),
                              int(axons.synapses[a]))

    def send(self, home, worked, to, synapses):
        cost, core = self.target.time_s, self.cores[home]
        gap = max(worked - core.worked, self.interval)
        core.worked = worked
        packet = Packet(self.tile[to], to, ps(cost.packet_in) + synapses * ps(cost.synaptic_event),
                        list(self.ways.get((self.tile[home], self.tile[to]), [])))
        core.program.append((gap, packet))
        self.packets.append(packet)

    def buffer(self, tile, port):
        return self.buffers.setdefault((tile, port), Buffer(self.target.network.buffer.value))

    def run(self):
        """Picoseconds until all is done; None where packets wait for each other for ever."""
        self.moments = [0]
        for core in self.cores.values():
            if core.program:
                heapq.heappush(self.moments, core.program[0][0])
        seen = -1
        while self.moments:
            now = heapq.heappop(self.moments)
            if now > seen:
                seen = now
                self.moment(now)
        if any(packet.arrived is None for packet in self.packets):
            return None
        return max(max(core.sent + core.rest, core.done) for core in self.cores.values())

    def moment(self, now):
        for home, core in self.cores.items():
            entry = self.buffer(self.tile[home], home)
            if core.program and now >= core.sent + core.program[0][0] and entry.has_place(now):
                entry.packets.append((now, core.program.popleft()[1]))
                entry.taken += 1
                core.sent = now
                if core.program:
                    heapq.heappush(self.moments, now + core.program[0][0])
        asking = {}
        for (tile, port), entry in self.buffers.items():
            if entry.packets and entry.packets[0][0] <= now and entry.asks_from <= now:
                asking.setdefault((tile, self.way(tile, entry.packets[0][1])), []).append(port)
        for (tile, way), ports in asking.items():
            self.decide(now, tile, way, ports)

    def way(self, tile, packet):
        if packet.legs and packet.legs[0] == tile:
            packet.legs.pop(0)
        to = packet.legs[0] if packet.legs else packet.to_tile
        if to == tile:
            return packet.to_core
        if to[0] != tile[0]:
            return EAST if to[0] > tile[0] else WEST
        return SOUTH if to[1] > tile[1] else NORTH

    def decide(self, now, tile, way, ports):
        output = self.outputs.setdefault((tile, way), Output())
        if now < output.free:
            return
        cost, network = self.target.time_s, self.target.network
        if way in WAYS:
            after = (tile[0] + WAYS[way][0], tile[1] + WAYS[way][1])
            chip = self.target.board.mesh_width.value
            between = after[0] // chip != tile[0] // chip
            hop = cost.hop_chip if between else cost.hop_y if way in (NORTH, SOUTH) else cost.hop_x
            room = self.buffer(after, BACK[way]).has_place(now)
            times = ps(hop, 1), ps(network.interval_chip if between else network.interval, 1)
        else:
            core = self.cores[way]
            core.ends = [end for end in core.ends if end > now]
            room = len(core.ends) < network.core_buffer.value
            times = ps(network.to_core), self.interval
        if room:
            self.take(now, (tile, way), self.chosen(output.last, ports), times)

    def chosen(self, last, ports):
        """The first port that asks, behind the one that was chosen last."""
        order = [*WAYS, *sorted(c for c in self.cores if c != HOST), HOST]
        place = order.index(last) + 1 if last is not None else 0
        return next(port for port in order[place:] + order[:place] if port in ports)

    def take(self, now, where, port, times):
        (tile, way), (hop, interval) = where, times
        output, entry = self.outputs[where], self.buffers[tile, port]
        output.free, output.last = now + interval, port
        _, packet = entry.packets.popleft()
        entry.taken -= 1
        entry.returning.append(now + self.credit)
        entry.asks_from = now + self.interval
        there = now + hop
        if way in WAYS:
            after = self.buffer((tile[0] + WAYS[way][0], tile[1] + WAYS[way][1]), BACK[way])
            after.packets.append((there, packet))
            after.taken += 1
            assert after.taken <= after.places
        else:
            core = self.cores[way]
            core.done = max(core.done, there) + packet.work
            core.ends.append(core.done)
            packet.arrived = there
            heapq.heappush(self.moments, core.done)
        for moment in (there, output.free, entry.returning[-1], entry.asks_from):
            heapq.heappush(self.moments, moment)


def ways_by_tile(program, detours):
    """Pairs of tiles with a way around -> the tiles between."""
    width = board_width(program.target)
    tiles = width * program.target.board.mesh_height.value

    def place(tile):
        return int(tile) % width, int(tile) // width

    return {(place(pair // tiles), place(pair % tiles)): [
        place(via) for via in detours.via[detours.start[i] : detours.start[i + 1]]]
        for i, pair in enumerate(detours.pair)}
