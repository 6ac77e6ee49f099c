"""A board of 48 chips that answers SC&MP's commands, without sockets and without a clock.

Commands are those of SpiNNMan 7.4.1 (messages/scp): version, read, write, fill, also over links,
allocate, routes, tags, signals, programs, counts of states. Anything else is answered as an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import packets
from chip import (
    CORE_INFO,
    CORE_INFO_BYTES,
    IDLE,
    LINKS,
    NAME,
    NAME_BYTES,
    P2P,
    P2P_NONE,
    PAUSED,
    RETRY_TAG,
    RUN_TIME_ERROR,
    RUNNING,
    SYNC_0,
    SYSTEM_SDRAM,
    Chip,
    new_chip,
)
from images import require_whole
from memory import AddressError, Budget
from packets import Request
from simulation import Simulation

from nmcompile.errors import NmcError

ROOT = (0, 0)
MEMORY_BYTES = 1 << 30  # of the host that a board may take
MISSING = {(5, 0), (6, 0), (7, 0), (6, 1), (7, 1), (7, 2), (0, 4), (0, 5), (1, 5), (0, 6), (1, 6),
           (2, 6), (0, 7), (1, 7), (2, 7), (3, 7)}  # of 8 x 8: SpiNNMachine 7.4.1, version_5.py
STOP, SYNC_SIGNAL_0, SYNC_SIGNAL_1 = 2, 4, 5
RUNTIME_PORT, NEW_RUNTIME = 3, 7  # spinnman/model/enums
TAGS = 8
Answer = tuple[int, bytes]


@dataclass
class Tag:
    """Where tagged packets of the board go, or for `port` of the host side, come from."""

    address: tuple[str, int] | None = None
    port: int = 0
    strip: bool = False
    to: tuple[int, int, int] | None = None  # x, y, core of a reverse tag


class Board:
    """All chips but dead ones, what they hold, and the programs that they know."""

    def __init__(self, programs: dict[str, bytes], dead: set[tuple[int, int]],
                 address: str = "127.0.0.2") -> None:
        places = {(x, y) for x in range(8) for y in range(8)} - MISSING - dead
        if ROOT not in places:
            raise ValueError("the chip with the Ethernet cannot be dead")
        budget = Budget(MEMORY_BYTES)
        self.chips = {place: new_chip(place, budget) for place in sorted(places)}
        self.tags = [Tag() for _ in range(TAGS)]
        self.simulation: Simulation | None = None
        self._programs = programs
        self._parents = self._tree()
        octets = tuple(int(part) for part in address.split("."))
        for place, chip in self.chips.items():
            chip.start((8, 8), octets if place == ROOT else (0, 0, 0, 0))
            for x in range(8):
                routes = [7 if (x, y) == place else 0 if (x, y) in self._parents else P2P_NONE
                          for y in range(8)]
                chip.memory.put(P2P + 128 * x, sum(r << 3 * y for y, r in enumerate(routes)))
        self._commands: dict[int, Callable[[Chip, Request], Answer]] = {
            0: self._version, 2: self._read, 3: self._write, 5: self._fill, 15: self._count,
            17: self._read_link, 18: self._write_link, 19: self._run, 20: self._nearest,
            21: self._copy_run, 22: self._signal, 25: _nothing, 26: self._tag,
            28: self._allocate, 29: self._routes, 30: _nothing, 31: self._info, 32: _nothing}

    def handle(self, packet: bytes, sender: tuple[str, int]) -> bytes | None:
        """Do the command in `packet`; the answer, if it wants one. Never raises."""
        try:
            request = packets.read_request(packet)
        except packets.PacketError:
            return None
        place = ROOT if (request.x, request.y) == (255, 255) else (request.x, request.y)
        self._sender = sender
        result, data = self._done(place, request)
        return packets.reply(request, place, result, data) if request.wants_reply else None

    def refuse(self, packet: bytes) -> bytes | None:
        """The answer "busy" to `packet`, which is not done."""
        try:
            request = packets.read_request(packet)
        except packets.PacketError:
            return None
        return packets.reply(request, (request.x, request.y), packets.BUSY)

    def _done(self, place: tuple[int, int], request: Request) -> Answer:
        chip = self.chips.get(place)
        if chip is None:
            return packets.NO_ROUTE, b""
        if request.core >= len(chip.cores):
            return packets.BAD_CORE, b""
        if request.core:
            return self._to_core(chip, request)
        command = self._commands.get(request.command)
        if command is None:
            return packets.BAD_COMMAND, b""
        try:
            return command(chip, request)
        except AddressError:
            return packets.BAD_ARGUMENT, b""

    def _to_core(self, chip: Chip, request: Request) -> Answer:
        core = chip.cores[request.core]
        if request.port != RUNTIME_PORT or request.command != NEW_RUNTIME:
            return packets.BAD_COMMAND, b""
        if core.state not in (SYNC_0, SYNC_0 + 1, PAUSED):
            return packets.BAD_CORE, b""
        core.run_until = request.arguments[0]
        chip.set_state(request.core, SYNC_0 + core.parity)
        return packets.OK, b""

    def _version(self, chip: Chip, request: Request) -> Answer:
        x, y = chip.place
        return packets.OK, (struct.pack("<4BHHI", 0, 0, y, x, 256, 0xFFFF, 0)
                            + b"SC&MP/SpiNNaker\x004.0.0\0")

    def _info(self, chip: Chip, request: Request) -> Answer:
        alive = [link for link in range(6) if self._beyond(chip.place, link) in self.chips]
        return packets.OK, chip.info(alive, self._parents[chip.place], ROOT)

    def _read(self, chip: Chip, request: Request) -> Answer:
        address, n_bytes, _ = request.arguments
        if n_bytes > 256:
            return packets.LENGTH, b""
        return packets.OK, chip.memory.read(address, n_bytes)

    def _write(self, chip: Chip, request: Request) -> Answer:
        address, n_bytes, _ = request.arguments
        if n_bytes > 256 or n_bytes != len(request.data):
            return packets.LENGTH, b""
        chip.memory.write(address, request.data)
        return packets.OK, b""

    def _fill(self, chip: Chip, request: Request) -> Answer:
        address, word, n_bytes = request.arguments
        if n_bytes % 4 or address % 4:
            return packets.BAD_ARGUMENT, b""
        for at in range(address, address + n_bytes, 1 << 16):
            size = min(1 << 16, address + n_bytes - at)
            chip.memory.write(at, word.to_bytes(4, "little") * (size // 4))
        return packets.OK, b""

    def _read_link(self, chip: Chip, request: Request) -> Answer:
        other = self._linked(chip, request.arguments[2])
        return self._read(other, request) if other else (packets.NO_ROUTE, b"")

    def _write_link(self, chip: Chip, request: Request) -> Answer:
        other = self._linked(chip, request.arguments[2])
        return self._write(other, request) if other else (packets.NO_ROUTE, b"")

    def _allocate(self, chip: Chip, request: Request) -> Answer:
        what, size, tag = request.arguments
        operation, app, flags = what & 0xFF, what >> 8 & 0xFF, what >> 16
        found = 0
        if operation == 0:
            found = chip.allocate(app, size, tag & 0xFF, bool(flags & RETRY_TAG))
        elif operation == 2:
            chip.free(app)
        elif operation == 3:
            found = chip.claim_routes(app, size)
        elif operation == 5:
            chip.clear_routes(app)
        else:
            return packets.BAD_ARGUMENT, b""
        return packets.OK, found.to_bytes(4, "little")

    def _routes(self, chip: Chip, request: Request) -> Answer:
        what, table, first = request.arguments
        if what & 0xFF == 0:
            chip.clear_routes()
            return packets.OK, b""
        done = what & 0xFF == 2 and chip.load_routes(what >> 8 & 0xFF, what >> 16, table, first)
        return (packets.OK if done else packets.BAD_ARGUMENT), b""

    def _tag(self, chip: Chip, request: Request) -> Answer:
        what, port, host = request.arguments
        operation, number = what >> 16 & 0xF, what & 0xFF
        if operation == 4:
            return packets.OK, bytes([9, 0, TAGS, TAGS])
        if number >= TAGS or chip.place != ROOT or operation not in (1, 2, 3):
            return packets.BAD_ARGUMENT, b""
        if operation == 1:
            self.tags[number] = self._made_tag(what, port, host)
        elif operation == 3:
            self.tags[number] = Tag()
        else:
            return packets.OK, _told(self.tags[number])
        return packets.OK, b""

    def _made_tag(self, what: int, port: int, host: int) -> Tag:
        if what >> 29 & 1:
            to = (port >> 24, port >> 16 & 0xFF, what >> 8 & 0x1F)
            return Tag(port=port & 0xFFFF, strip=True, to=to)
        name = ".".join(str(octet) for octet in host.to_bytes(4, "little"))
        address = self._sender if what >> 30 & 1 else (name, port & 0xFFFF)
        return Tag(address=address, strip=bool(what >> 28 & 1))

    def _run(self, chip: Chip, request: Request) -> Answer:
        return self._start(chip, request.arguments[0])

    def _copy_run(self, chip: Chip, request: Request) -> Answer:
        link, n_bytes, mask = request.arguments[0] & 7, *request.arguments[1:]
        other = self._linked(chip, link)
        if other is None or n_bytes > 1 << 16:
            return packets.BAD_ARGUMENT, b""
        chip.memory.write(SYSTEM_SDRAM, other.memory.read(SYSTEM_SDRAM, n_bytes))
        return self._start(chip, mask)

    def _start(self, chip: Chip, mask: int) -> Answer:
        """Run the program at the begin of system SDRAM on the cores of `mask`."""
        for number, core in enumerate(chip.cores):
            if number and mask >> number & 1:
                core.app, core.parity, core.run_until = mask >> 24, 0, 0
                core.program = next(
                    (name for name, code in self._programs.items()
                     if chip.memory.read(SYSTEM_SDRAM, len(code)) == code), "")
                chip.set_state(number, SYNC_0 if _starts(chip, number) else RUN_TIME_ERROR)
                chip.memory.write(CORE_INFO + CORE_INFO_BYTES * number + NAME,
                                  core.program.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0"))
        return packets.OK, b""

    def _count(self, chip: Chip, request: Request) -> Answer:
        app, state, _ = request.arguments
        everywhere = (request.x, request.y) == (255, 255)
        chips = self.chips.values() if everywhere else [chip]
        n = sum(core.app == app & 0xFF and core.state == state
                for each in chips for core in each.cores[1:])
        return packets.OK, n.to_bytes(4, "little")

    def _signal(self, chip: Chip, request: Request) -> Answer:
        signal, app = request.arguments[1] >> 16 & 0xFF, request.arguments[1] & 0xFF
        if signal == STOP:
            self._stop(app)
        elif signal in (SYNC_SIGNAL_0, SYNC_SIGNAL_1):
            self._synchronise(app, signal - SYNC_SIGNAL_0)
        return packets.OK, b""

    def _nearest(self, chip: Chip, request: Request) -> Answer:
        what = request.arguments[1]
        if what >> 28 == 5 and what >> 16 & 0xFF == STOP:
            self._stop(what & 0xFF)
        return packets.OK, b""

    def _stop(self, app: int) -> None:
        for chip in self.chips.values():
            for number, core in enumerate(chip.cores):
                if number and core.app == app:
                    core.app, core.program = 0, ""
                    chip.set_state(number, IDLE)
            chip.free(app)
            chip.clear_routes(app)
        if self.simulation is not None and self.simulation.app == app:
            self.simulation = None

    def _synchronise(self, app: int, parity: int) -> None:
        """Let the cores run that wait for this signal; what else comes of it is `simulation`."""
        ready = [(chip, number) for chip in self.chips.values()
                 for number, core in enumerate(chip.cores)
                 if core.app == app and core.state == SYNC_0 + parity]
        if not ready:
            return
        for chip, number in ready:
            chip.cores[number].parity = 1 - parity
            chip.set_state(number, RUNNING)
        try:
            self.simulation = Simulation(self, app, ready)
        except (ValueError, NmcError) as error:  # an ImageError, or memory that is not there
            print(f"cores do not start: {error}", flush=True)
            for chip, number in ready:
                chip.set_state(number, RUN_TIME_ERROR)

    def _linked(self, chip: Chip, link: int) -> Chip | None:
        return self.chips.get(self._beyond(chip.place, link)) if link < 6 else None

    def _beyond(self, place: tuple[int, int], link: int) -> tuple[int, int]:
        return place[0] + LINKS[link][0], place[1] + LINKS[link][1]

    def _tree(self) -> dict[tuple[int, int], int]:
        """Of each chip that the root reaches, the link to the chip before it; of the root 7."""
        found, edge = {ROOT: 7}, [ROOT]
        while edge:
            place = edge.pop(0)
            for link in range(6):
                other = self._beyond(place, link)
                if other in self.chips and other not in found:
                    found[other] = (link + 3) % 6
                    edge.append(other)
        self.chips = {place: chip for place, chip in self.chips.items() if place in found}
        return found


def _starts(chip: Chip, number: int) -> bool:
    """Whether a core has a program that is known, and whole regions."""
    try:
        require_whole(chip, number)
    except ValueError as error:
        print(f"core does not start: {error}", flush=True)
        return False
    return bool(chip.cores[number].program)


def _nothing(chip: Chip, request: Request) -> Answer:
    return packets.OK, b""


def _told(tag: Tag) -> bytes:
    """CMD_IPTAG's answer: spinnman/messages/scp/impl/iptag_get.py."""
    used, back = tag.address is not None or tag.to is not None, tag.to is not None
    flags = used << 15 | back << 9 | tag.strip << 8
    host = tag.address[0] if tag.address else "0.0.0.0"
    x, y, core = tag.to or (0, 0, 0)
    return struct.pack("<4s6s3HIH3B", bytes(int(part) for part in host.split(".")), bytes(6),
                       tag.address[1] if tag.address else 0, 0, flags, 0, tag.port, y, x, core)

