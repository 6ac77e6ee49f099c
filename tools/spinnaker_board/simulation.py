"""The cores of a synchronised application, run step by step on what the board's memory holds.

In a step all neurons are updated, then all packets, of neurons and of inputs, go their way through
the routing tables; a delay of d steps counts from the step in which a packet is sent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import packets
from chip import LINKS, PAUSED, RUN_TIME_ERROR, UNUSED, Chip
from images import CELLS, ImageError, NeuronCore, regions_of, words
from memory import AddressError

if TYPE_CHECKING:
    from board import Board

SOURCE, GATHERER = "reverse_iptag_multicast_source", "live_packet_gather"
SYSTEM_PROVENANCE = 24  # bytes ahead of a program's own counts
MOST_HOPS = 1000  # of a packet, which routers drop when it has gone round for too long
__all__ = ["ImageError", "Simulation"]


class Source:
    """A core that sends what the host put in its buffer, and what comes to it as it comes."""

    def __init__(self, chip: Chip, number: int) -> None:
        self.chip, self.number = chip, number
        self.regions = regions_of(chip, number)
        configuration = words(chip.memory, self.regions[1], 13).tolist()
        self.port, size = configuration[11], configuration[7]
        if size > 1 << 24:
            raise ImageError(f"a buffer of {size} bytes")
        self.timed: dict[int, list[int]] = {}
        self.live: list[int] = []
        self.received = self.sent = 0
        if size:
            self._read(chip.memory.read(self.regions[3], size))

    def _read(self, buffer: bytes) -> None:
        """The messages ahead of the command that ends them."""
        at = 0
        while at + 2 <= len(buffer):
            (header,) = struct.unpack_from("<H", buffer, at)
            if header & 0xC000 == packets.UPPER or header == 0:
                return
            count, kind = header & 0xFF, header >> 10 & 3
            size = (2 + 2 * (header >> 15) + (header >> 13 & 1) * (4 if kind & 2 else 2)
                    + count * (1 + (kind & 1)) * (4 if kind & 2 else 2))
            try:
                for time, key in packets.read_events(buffer[at : at + size]):
                    self.timed.setdefault(time or 0, []).append(key)
            except packets.PacketError as error:
                raise ImageError(f"input spikes: {error}") from error
            at += size

    def take(self, message: bytes, step: int) -> None:
        """A message from the host, at once or for a step to come."""
        self.received += 1
        for time, key in packets.read_events(message):
            if time is None:
                self.live.append(key)
            elif time > step:
                self.timed.setdefault(time, []).append(key)

    def tick(self, step: int) -> list[int]:
        """The keys to send in `step`."""
        keys, self.live = self.timed.pop(step, []) + self.live, []
        self.sent += len(keys)
        return keys


class Gatherer:
    """A core that hands the packets that reach it to the host, with their step."""

    def __init__(self, chip: Chip, number: int) -> None:
        self.chip, self.number = chip, number
        self.regions = regions_of(chip, number)
        self.tag = words(chip.memory, self.regions[1], 15).tolist()[9]
        self.keys: list[int] = []
        self.events = self.messages = 0

    def flush(self, step: int) -> list[bytes]:
        """Messages with the keys of `step`."""
        made = list(packets.events(step, self.keys))
        self.events, self.messages = self.events + len(self.keys), self.messages + len(made)
        self.keys = []
        return made


class Simulation:
    """All cores of `app` that wait for one signal, from time 0 to the run time that they got."""

    def __init__(self, board: Board, app: int, cores: list[tuple[Chip, int]]) -> None:
        self._board, self.app, self.step = board, app, 0
        self.until = max(chip.cores[number].run_until for chip, number in cores)
        self.neurons: dict[tuple, NeuronCore] = {}
        self.sources: dict[tuple, Source] = {}
        self.gatherers: dict[tuple, Gatherer] = {}
        for chip, number in cores:
            program, place = chip.cores[number].program, (*chip.place, number)
            try:
                if program in CELLS:
                    self.neurons[place] = NeuronCore(chip, number, program)
                elif program == SOURCE:
                    self.sources[place] = Source(chip, number)
                elif program == GATHERER:
                    self.gatherers[place] = Gatherer(chip, number)
            except KeyError as error:
                raise ImageError(f"core {place} has no region {error}") from error
        self._reached: dict[tuple[tuple[int, int], int], list[tuple]] = {}

    @property
    def over(self) -> bool:
        """Whether the run time is reached."""
        return self.step >= self.until

    def tick(self) -> list[tuple[int, bytes]]:
        """One step; messages to the host with the tags that say where to."""
        sent: list[tuple[tuple[int, int], int]] = []
        for place, source in self.sources.items():
            sent += [(place[:2], key) for key in source.tick(self.step)]
        for place, core in self.neurons.items():
            sent += [(place[:2], key) for key in core.tick(self.step)]
        for origin, key in sent:
            for place in self._way(origin, key):
                if place in self.neurons:
                    self.neurons[place].receive(key, self.step)
                elif place in self.gatherers:
                    self.gatherers[place].keys.append(key)
        told = [(gatherer.tag, message) for gatherer in self.gatherers.values()
                for message in gatherer.flush(self.step)]
        self.step += 1
        return told

    def finish(self) -> None:
        """Write recordings and counts where the host reads them, and pause all cores.

        One with nowhere to write them ends with an error.
        """
        for place, core in (self.neurons | self.sources | self.gatherers).items():
            try:
                self._leave(core)
                state = PAUSED
            except (AddressError, KeyError) as error:
                print(f"core {place} ends: {error}", flush=True)
                state = RUN_TIME_ERROR
            self._board.chips[place[:2]].set_state(place[2], state)

    def _leave(self, core: NeuronCore | Source | Gatherer) -> None:
        if isinstance(core, NeuronCore):
            core.keep()
            self._record(core)
        elif isinstance(core, Source):
            self._count(core.chip, core.regions[4], core.received, core.sent, 0, 0, 0)
        else:
            self._count(core.chip, core.regions[2], 0, 0, core.events, core.messages)

    def _record(self, core: NeuronCore) -> None:
        """Spikes into a block of the heap, its place and size into the recording region."""
        memory, address = core.chip.memory, 0
        if core.room:
            address = core.chip.allocate(self.app, core.room, 128 + core.number, True)
            memory.write(address, core.recorded)  # an address of 0 is none
        memory.put(core.record, core.room, len(core.recorded) | core.is_full << 31, address)

    def _count(self, chip: Chip, region: int, *counts: int) -> None:
        chip.memory.put(region + SYSTEM_PROVENANCE, *counts)

    def _way(self, origin: tuple[int, int], key: int) -> list[tuple]:
        """The cores that a packet of `key` from chip `origin` comes to."""
        if (origin, key) not in self._reached:
            found, edge = [], [(origin, None)]
            for _ in range(MOST_HOPS):
                if not edge:
                    break
                place, came = edge.pop()
                route = self._route(place, key, came)
                found += [(*place, core) for core in range(18) if route >> 6 + core & 1]
                for link, (dx, dy) in enumerate(LINKS):
                    beyond = (place[0] + dx, place[1] + dy)
                    if route >> link & 1 and beyond in self._board.chips:
                        edge.append((beyond, link))
            self._reached[origin, key] = found
        return self._reached[origin, key]

    def _route(self, place: tuple[int, int], key: int, came: int | None) -> int:
        for _, route, own, mask in self._board.chips[place].routes:
            if route < UNUSED and key & mask == own:
                return route
        return 0 if came is None else 1 << came


