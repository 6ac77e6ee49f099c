"""A client of SC&MP, a SpiNNaker board's monitor, over UDP: each command once, or a clear error.

Written here rather than left to SpiNNMan: that needs an interpreter of its own beside nmcompile's,
waits a second for each lost packet, and starts programs from an address that tables are loaded from
too, so that a late copy of a command may act on other bytes than it was sent for. This client

- gives each command a sequence number that no other has within 65,536, and takes only the answer of
  the core that it asked;
- repeats a command only with its own number, after `Link.wait_s`, a bounded number of times;
- counts what is not answered, and gives up where that is more than `MOST_LOST`;
- sends only commands that do no harm when they come twice or late: writes, which are read back
  behind them, allocations of memory by tag, which SC&MP answers alike when repeated, and routes
  from a table of their own. What starts something, or has no tag, is followed by `settle`, longer
  than packets are under way.

Formats: SpiNNMan 7.4.1 messages/sdp, messages/scp; spinnaker_tools spinnaker.h.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nmcompile.errors import DeviceAnswerError, DeviceLostError, DeviceUnreachableError

PORT = 17893
SDP = struct.Struct("<2x8B")
COMMAND = struct.Struct("<HH")
ARGUMENTS = struct.Struct("<3I")
REPLY_EXPECTED, ANY_TAG, HOST_PORT = 0x87, 0xFF, 0xFF
VERSION, READ, WRITE = 0, 2, 3
MOST_BYTES = 256  # of a read or a write
OK = 0x80
# Codes of a command that was not done for want of a buffer or of an answer on the board.
AGAIN = {0x86: "timeout", 0x8A: "no buffer", 0x8B: "no reply", 0x8D: "busy", 0x8E: "timeout"}
REFUSED = {0x81: "wrong length", 0x82: "wrong checksum", 0x83: "unknown command",
           0x84: "bad argument", 0x85: "bad port", 0x87: "no such chip", 0x88: "no such core",
           0x89: "dead core"}
WINDOW = 8
TRIES = 12
LONGEST_WAIT_S = 1.0  # between two tries
BUSY_S = 10.0  # that a board may say it is busy with one command
MOST_LOST, FEWEST = 0.3, 100  # share of tries without answer; tries ahead of which none is told


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command to core `core` of chip (x, y); core 0 is the monitor, 255, 255 the first chip.

    least  bytes that its answer has; one to a read has as many as were asked for
    """

    x: int
    y: int
    command: int
    arguments: tuple[int, int, int] = (0, 0, 0)
    data: bytes = b""
    core: int = 0
    port: int = 0
    least: int = 0

    def takes(self, answer: bytes) -> bool:
        """Whether an answer is as long as it must be."""
        return (len(answer) == self.arguments[1] if self.command == READ
                else len(answer) >= self.least)


@dataclass
class _Open:
    """A call that waits for its answer."""

    number: int
    call: Call
    due: float
    tries: int = 0
    is_put_off: bool = False
    times_put_off: int = 0
    busy_since: float = 0.0


class Link:
    """A UDP socket to one board. Close it, or use it in a `with`.

    address    of the board
    wait_s     until a command without answer is repeated; twice as long each further time,
               LONGEST_WAIT_S at most
    settle_s   longer than a packet may be under way
    repeated   commands that were sent again
    is_lost    whether a call was given up
    """

    def __init__(self, address: tuple[str, int], *, wait_s: float = 0.1,
                 settle_s: float = 0.05) -> None:
        self.address, self.wait_s, self.settle_s = address, wait_s, settle_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sequence, self._tries, self._lost, self.repeated = 0, 0, 0, 0
        self.is_lost = False
        try:
            self._socket.connect(address)
        except (OSError, TypeError, ValueError) as error:  # the last two: no name of a host
            self._socket.close()
            raise DeviceUnreachableError(self.where, f"cannot be reached: {error}") from error

    @property
    def where(self) -> str:
        """The board, for messages."""
        return f"SpiNNaker board {self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def own_address(self) -> bytes:
        """The four bytes of this host's address on the way to the board."""
        return socket.inet_aton(self._socket.getsockname()[0])

    def board_address(self) -> str:
        """The board's IP address: what does not come from it is not the board's."""
        return str(self._socket.getpeername()[0])

    def settle(self) -> None:
        """Wait until no packet that was sent is under way."""
        time.sleep(self.settle_s)

    def call(self, call: Call) -> bytes:
        """The data of the answer to one command."""
        return self.calls([call])[0]

    def calls(self, calls: Sequence[Call]) -> list[bytes]:
        """The data of the answers to all `calls`, of which `WINDOW` are under way at a time.

        Raises DeviceLostError where a command has no answer after `TRIES` tries, or is put off for
        `BUSY_S`, or too many have no answer; NmcError where the board refuses one.
        """
        answers: list[bytes] = [b""] * len(calls)
        waiting, under_way = deque(enumerate(calls)), dict[int, _Open]()
        while waiting or under_way:
            while waiting and len(under_way) < WINDOW:
                number, call = waiting.popleft()
                self._sequence = (self._sequence + 1) % (1 << 16)
                under_way[self._sequence] = made = _Open(number=number, call=call, due=0.0)
                self._send(self._sequence, made)
            for sequence, data in self._heard(under_way):
                made = under_way.pop(sequence)
                if not made.call.takes(data):
                    raise DeviceAnswerError(
                        self.where, f"answers command {made.call.command} of chip "
                        f"{made.call.x}, {made.call.y} with {len(data)} bytes",
                        "Is it a SpiNNaker board?")
                answers[made.number] = data
            for sequence, late in under_way.items():
                if late.due <= time.monotonic():
                    self._lost += not late.is_put_off
                    self.repeated += 1
                    self._send(sequence, late)
        return answers

    def read(self, x: int, y: int, address: int, n_bytes: int) -> bytes:
        """`n_bytes` of a chip's memory.

        Raises DeviceLostError where they lie beyond 32 bits of address, as a board's word may say.
        """
        self._require_address(x, y, address, n_bytes)
        calls = [Call(x=x, y=y, command=READ,
                      arguments=(address + at, min(MOST_BYTES, n_bytes - at), 2))
                 for at in range(0, n_bytes, MOST_BYTES)]
        return b"".join(self.calls(calls))

    def write(self, x: int, y: int, address: int, data: bytes) -> None:
        """Write to a chip's memory and read it back.

        Raises DeviceLostError where other bytes are there twice, or it lies beyond 32 bits.
        """
        self._require_address(x, y, address, len(data))
        for _ in range(2):
            self.calls([Call(x=x, y=y, command=WRITE,
                             arguments=(address + at, len(data[at : at + MOST_BYTES]), 2),
                             data=data[at : at + MOST_BYTES])
                        for at in range(0, len(data), MOST_BYTES)])
            if self.read(x, y, address, len(data)) == data:
                return
            self.settle()
        raise DeviceLostError(self.where, f"chip {x}, {y} does not hold what was written to "
                              f"{address:#x}", "Check the board's memory and its network.")

    def _require_address(self, x: int, y: int, address: int, n_bytes: int) -> None:
        if address + n_bytes > 1 << 32:
            raise DeviceLostError(
                self.where, f"chip {x}, {y} tells of {n_bytes:,} bytes at {address:#x}, which is "
                "no place in its memory", "Reset the board; is it a SpiNNaker board?")

    def _send(self, sequence: int, made: _Open) -> None:
        call = made.call
        if made.tries == TRIES:
            self.is_lost = True
            raise DeviceLostError(self.where, f"chip {call.x}, {call.y} did not answer command "
                                  f"{call.command} in {TRIES} tries", "Is it on, and the network "
                                  "between?")
        if self._tries >= FEWEST and self._lost > MOST_LOST * self._tries:
            self.is_lost = True
            raise DeviceLostError(
                self.where, f"{self._lost} of {self._tries} packets had no answer",
                f"It takes a network that loses fewer than {MOST_LOST:.0%}.")
        made.due = time.monotonic() + min(LONGEST_WAIT_S, self.wait_s * 2**made.tries)
        made.tries, made.is_put_off, self._tries = made.tries + 1, False, self._tries + 1
        packet = (SDP.pack(REPLY_EXPECTED, ANY_TAG, call.port << 5 | call.core, HOST_PORT,
                           call.y, call.x, 0, 0)
                  + COMMAND.pack(call.command, sequence) + ARGUMENTS.pack(*call.arguments)
                  + call.data)
        try:
            self._socket.send(packet)
        except OSError:
            return  # as if it was lost: a refused port shows in the packet behind it

    def _heard(self, under_way: dict[int, _Open]) -> Iterator[tuple[int, bytes]]:
        """Answers that come until the first command is due again, at most one."""
        if not under_way:
            return
        patience = min(made.due for made in under_way.values()) - time.monotonic()
        self._socket.settimeout(max(0.001, patience))
        try:
            packet = self._socket.recv(2048)
        except TimeoutError:
            return
        except OSError:  # the host there is up and has no such port: it may come
            time.sleep(min(max(patience, 0.0), 0.01))
            return
        if len(packet) < SDP.size + COMMAND.size:
            return
        _, _, _, source, _, _, y, x = SDP.unpack_from(packet)
        result, sequence = COMMAND.unpack_from(packet, SDP.size)
        made = under_way.get(sequence)
        if made is None or not _is_from(made.call, x, y, source & 31):
            return
        if result == OK:
            yield sequence, packet[SDP.size + COMMAND.size :]
        elif result in AGAIN:
            self._put_off(made, AGAIN[result])
        else:
            call = made.call
            raise DeviceAnswerError(
                self.where, f"chip {call.x}, {call.y}, core {call.core} refuses command "
                f"{call.command}: {REFUSED.get(result, f'code {result:#x}')}")

    def _put_off(self, made: _Open, why: str) -> None:
        """Have a command wait that the board heard and did not do; that was none of its tries."""
        if made.is_put_off:
            return  # a copy of the same answer
        call, now = made.call, time.monotonic()
        made.busy_since = made.busy_since or now
        if now - made.busy_since > BUSY_S:
            self.is_lost = True
            raise DeviceLostError(
                self.where, f"chip {call.x}, {call.y} answers command {call.command} with {why!r} "
                f"for {BUSY_S:.0f} s", "Stop what keeps it busy, or reset it.")
        made.due = now + min(LONGEST_WAIT_S, self.wait_s / 10 * 2**made.times_put_off)
        made.times_put_off += 1
        made.is_put_off, made.tries = True, made.tries - 1


def _is_from(call: Call, x: int, y: int, core: int) -> bool:
    return (call.x, call.y) in ((x, y), (255, 255)) and call.core == core
