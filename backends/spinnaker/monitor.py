"""What SC&MP does for a host beyond memory: allocate, route, start, signal, tag.

Numbers of commands and fields: SpiNNMan 7.4.1 messages/scp/impl and messages/scp/enums.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from nmcompile_backends.spinnaker.load_plan import ENTRY
from nmcompile_backends.spinnaker.scp import READ, VERSION, Call, Link

from nmcompile.errors import (
    BoardError,
    BusyError,
    DeviceAnswerError,
    DeviceLostError,
    DeviceUnreachableError,
    NmcError,
)

COUNT, START, STOP_ALL, SIGNAL, TAG, ALLOCATE, ROUTE, INFO = 15, 19, 20, 22, 26, 28, 29, 31
ANYWHERE = 255
ALLOC_SDRAM, ALLOC_ROUTES, FREE_ROUTES, RETRY_TAG = 0, 3, 5, 4
CLAIMS = 5  # of routing entries, until one is made in one try
LOAD_ROUTES = 2
STOP, SYNC = 2, (4, 5)
IDLE, SYNC_0, SYNC_1, PAUSED, RUNNING = 15, 8, 9, 10, 7
FAILED = {0: "dead", 2: "stopped with an error", 3: "hung", 11: "left its program"}
CORE_INFO, CORE_INFO_BYTES, STATE, APP, NAME, USER_0 = 0xE5007000, 128, 46, 47, 72, 112
TABLE_COPY = 0xF5007FD4  # where the address of the router's copy is
SDRAM, SDRAM_BYTES = 0x60000000, 1 << 27  # of a chip
ROUTER_ENTRIES = 1024  # of a chip's router; SC&MP keeps the first (SpiNNMachine: 1,023 are free)
PROGRAM = 0x67800000  # a program is started from here
RUNTIME_PORT, NEW_RUNTIME = 3, 7
COPY = struct.Struct("<2xBxIII")


@dataclass(frozen=True)
class Core:
    """A core's state, application, program's name and block of SDRAM, as its own words say."""

    state: int
    app: int
    name: str
    block: int


class Monitor:
    """The board's SC&MP, for one application.

    mark     random bytes of this host, ahead of the block of SDRAM of each core that it loads
    claimed  whether what runs under the application's number was started from here
    """

    def __init__(self, link: Link, app: int, mark: bytes) -> None:
        self.link, self.app, self.mark, self.claimed = link, app, mark, False

    def greet(self) -> str:
        """The version that the board answers with. Raises NmcError where it is not SC&MP."""
        try:
            answer = self.link.call(Call(x=ANYWHERE, y=ANYWHERE, command=VERSION, least=12))
        except DeviceLostError as error:
            raise DeviceUnreachableError(error.where, "did not answer", error.hint) from error
        text = answer[12:].split(b"\0")
        if not text[0].startswith(b"SC&MP"):
            raise DeviceAnswerError(
                self.link.where, "is not running SC&MP", "Boot it with SpiNNMan.")
        return text[1].decode("ascii", "replace") if len(text) > 1 else ""

    def states(self, x: int, y: int) -> bytes:
        """The state of each core of a chip."""
        answer = self.link.call(Call(x=x, y=y, command=INFO, arguments=(0x5F, 0, 0), least=30))
        return answer[12:30]

    def cores(self, places: Sequence[tuple[int, int, int]]) -> list[Core]:
        """What runs on each (x, y, processor)."""
        calls = [Call(x=x, y=y, command=READ, arguments=(CORE_INFO + CORE_INFO_BYTES * p,
                                                      CORE_INFO_BYTES, 2)) for x, y, p in places]
        return [Core(info[STATE], info[APP],
                     info[NAME : NAME + 16].rstrip(b"\0").decode("ascii", "replace"),
                     int.from_bytes(info[USER_0 : USER_0 + 4], "little"))
                for info in self.link.calls(calls)]

    def own(self, places: Sequence[tuple[int, int, int]]) -> list[tuple[Core, bool]]:
        """What runs on each core, and whether it was loaded from here."""
        found = self.cores(places)
        likely = [i for i, core in enumerate(found) if core.state != IDLE and core.app == self.app
                  and SDRAM + len(self.mark) <= core.block < SDRAM + SDRAM_BYTES]
        marks = self.link.calls([
            Call(x=places[i][0], y=places[i][1], command=READ,
                 arguments=(found[i].block - len(self.mark), len(self.mark), 2)) for i in likely])
        own = {i for i, mark in zip(likely, marks, strict=True) if mark == self.mark}
        return [(core, i in own) for i, core in enumerate(found)]

    def claim(self, places: Sequence[tuple[int, int, int]], take: bool) -> None:
        """Have the application's number for this host, with nothing under it.

        places  cores that may still run what was loaded from here before
        take    end whatever runs under it

        Raises NmcError where other cores run under it and are not to be taken.
        """
        calls = [Call(x=ANYWHERE, y=ANYWHERE, command=COUNT, arguments=(self.app, state, 0),
                      least=4)
                 for state in range(1, IDLE)]
        n = sum(int.from_bytes(answer[:4], "little") for answer in self.link.calls(calls))
        if n and not take:
            n -= sum(is_own for _, is_own in self.own(places))
        if n and not take:
            raise BusyError(self.link.where, f"{n} of its cores are in use, by application "
                            f"{self.app}", "Use another --device-option app, or end it with "
                            "--device-option take=yes.")
        self.claimed = True
        self.stop()

    def stop(self) -> None:
        """End the application on all chips; its memory and routes are free."""
        self.link.call(Call(x=ANYWHERE, y=ANYWHERE, command=STOP_ALL, arguments=(
            0x3F << 16, 5 << 28 | STOP << 16 | 0xFF << 8 | self.app, (1 << 31) + (0x3F << 8))))
        self.link.settle()

    def allocate(self, x: int, y: int, size: int, tag: int) -> int:
        """The address of a block of SDRAM; repeated, the same block.

        Raises NmcError where there is none, or the board names one that is not in SDRAM.
        """
        what = RETRY_TAG << 16 | self.app << 8 | ALLOC_SDRAM
        address = self._allocated(x, y, (what, size, tag))
        if address == 0:
            raise self._full(x, y, f"{size:,} bytes of SDRAM")
        if not SDRAM <= address <= SDRAM + SDRAM_BYTES - size:
            raise self._strange(x, y, f"gives {size:,} bytes of SDRAM at {address:#x}")
        return address

    def _claim_routes(self, x: int, y: int, n: int) -> int:
        """The first of `n` entries of a router, where the application has no others.

        Claims have no tag: one that may have been done twice is undone and made again.

        Raises NmcError where there are none, or the board names some that a router does not have.
        """
        first = 0
        for _ in range(CLAIMS):
            before = self.link.repeated
            first = self._allocated(x, y, (self.app << 8 | ALLOC_ROUTES, n, 0))
            if first + n > ROUTER_ENTRIES:
                raise self._strange(x, y, f"gives {n} routing entries from {first:,} on")
            if first and self.link.repeated == before:
                return first
            self.link.settle()
            self._allocated(x, y, (self.app << 8 | FREE_ROUTES, 1, 0))
            self.link.settle()
        if first:
            raise DeviceLostError(self.link.where, f"chip {x}, {y} did not answer a claim of "
                                  f"routing entries at once, {CLAIMS} times",
                                  "It takes a network that loses less.")
        raise self._full(x, y, f"{n} routing entries")

    def _allocated(self, x: int, y: int, arguments: tuple[int, int, int]) -> int:
        answer = self.link.call(Call(x=x, y=y, command=ALLOCATE, arguments=arguments, least=4))
        return int.from_bytes(answer[:4], "little")

    def _full(self, x: int, y: int, what: str) -> NmcError:
        return BoardError(self.link.where, f"chip {x}, {y} has no {what} left",
                          "Reset the board, or stop what others run on it.")

    def _strange(self, x: int, y: int, what: str) -> NmcError:
        return DeviceAnswerError(self.link.where, f"chip {x}, {y} {what}, which it does not have",
                                 "Is it a SpiNNaker board?")

    def load_routes(self, x: int, y: int, table: bytes, tag: int) -> None:
        """Load a table as `load_plan.table_bytes` makes it, and read the router's copy of it.

        The table gets a block of memory that nothing else is written to, so that a late copy of
        the command loads the same again.
        """
        n = len(table) // ENTRY.itemsize - 1
        address = self.allocate(x, y, len(table), tag)
        self.link.write(x, y, address, table)
        first = self._claim_routes(x, y, n)
        self.link.call(Call(x=x, y=y, command=ROUTE, arguments=(
            n << 16 | self.app << 8 | LOAD_ROUTES, address, first)))
        copy = int.from_bytes(self.link.read(x, y, TABLE_COPY, 4), "little")
        found = self.link.read(x, y, copy + COPY.size * first, COPY.size * n)
        rows = [table[i * 16 + 4 : i * 16 + 16] for i in range(n)]
        if [found[i * 16 + 4 : i * 16 + 16] for i in range(n)] != rows:
            raise DeviceLostError(self.link.where, f"the router of chip {x}, {y} does not hold "
                                  "what was loaded")

    def start(self, x: int, y: int, program: bytes, processors: Sequence[int]) -> None:
        """Run `program` on some cores of a chip."""
        self.link.write(x, y, PROGRAM, program)
        mask = sum(1 << p for p in processors) | self.app << 24
        self.link.call(Call(x=x, y=y, command=START, arguments=(mask, 0, 0)))
        self.link.settle()

    def set_run_time(self, places: Sequence[tuple[int, int, int]], steps: int) -> None:
        """Have all cores wait for the signal to run from 0 to `steps`."""
        self.link.calls([Call(x=x, y=y, core=p, port=RUNTIME_PORT, command=NEW_RUNTIME,
                              arguments=(steps, 0, 0), data=bytes(4)) for x, y, p in places])
        self.link.settle()

    def synchronise(self, parity: int) -> None:
        """Let the cores run that wait for signal `parity`."""
        self.link.call(Call(x=ANYWHERE, y=ANYWHERE, command=SIGNAL, arguments=(
            0, SYNC[parity] << 16 | 0xFF << 8 | self.app, 0xFFFF)))

    def await_states(
        self, places: Sequence[tuple[int, int, int]], wanted: Sequence[int], patience_s: float,
    ) -> None:
        """Wait until all cores are in one of the states `wanted`.

        Raises DeviceLostError where one fails, or after `patience_s`.
        """
        until, left = time.monotonic() + patience_s, list(places)
        while True:
            found = self.cores(left)
            for place, core in zip(left, found, strict=True):
                if core.state in FAILED:
                    raise DeviceLostError(self.link.where, f"core {place} {FAILED[core.state]}",
                                          "Its log is in the chip's IOBUF.")
            left = [place for place, core in zip(left, found, strict=True)
                    if core.state not in wanted]
            if not left:
                return
            if time.monotonic() > until:
                raise DeviceLostError(self.link.where, f"{len(left)} cores, {left[0]} among them, "
                                      f"are not ready after {patience_s:.0f} s")
            time.sleep(0.01)

    def set_tag(self, number: int, port: int) -> None:
        """Send what cores send to tag `number` to `port` of this host."""
        host = self.link.own_address()
        self.link.call(Call(x=ANYWHERE, y=ANYWHERE, command=TAG, arguments=(
            1 << 28 | 1 << 16 | number, port, int.from_bytes(host, "little"))))

    def set_reverse_tag(self, number: int, place: tuple[int, int, int], port: int,
                        sdp_port: int) -> None:
        """Hand what comes to `port` of the board to a core."""
        x, y, p = place
        self.link.call(Call(x=ANYWHERE, y=ANYWHERE, command=TAG, arguments=(
            1 << 29 | 1 << 28 | 1 << 16 | sdp_port << 13 | p << 8 | number,
            x << 24 | y << 16 | port, 0)))
