"""A board behind UDP sockets, with a bad network between, and its steps taken in time."""

from __future__ import annotations

import heapq
import select
import socket
import time
from itertools import count

from board import Board
from faults import Faults, Network
from packets import PacketError

LARGEST_PACKET = 2048
MOST_WAITING = 10_000  # packets on their way; further ones are lost


class Server:
    """Sockets for commands and for reverse tags; `serve` does not return."""

    def __init__(self, board: Board, faults: Faults, address: tuple[str, int],
                 tick_s: float) -> None:
        self._board, self._network, self._tick_s = board, Network(faults), tick_s
        self._host = address[0]
        self._commands = _bound(address)
        self.port = self._commands.getsockname()[1]
        self._reverse: dict[int, socket.socket] = {}  # by tag
        self._waiting: list[tuple] = []  # due, number, what to do
        self._number, self._next = count(), 0.0

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._commands, *self._reverse.values()):
            each.close()

    def serve(self) -> None:
        """Answer packets and take steps until interrupted."""
        while True:
            self.turn(0.2)

    def turn(self, longest_s: float) -> None:
        """One round: what has come, what is due, a step."""
        listening = [self._commands, *self._reverse.values()]
        ready, _, _ = select.select(listening, [], [], self._patience(longest_s))
        for each in ready:
            try:
                packet, sender = each.recvfrom(LARGEST_PACKET)
            except OSError:
                continue
            self._send_off(("in", each, packet, sender))
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._do(*heapq.heappop(self._waiting)[2])
        self._step()

    def _patience(self, longest_s: float) -> float:
        due = [self._waiting[0][0]] if self._waiting else []
        if self._board.simulation is not None:
            due.append(self._next)
        return max(0.0, min([longest_s, *(at - time.monotonic() for at in due)]))

    def _send_off(self, what: tuple) -> None:
        for delay in self._network.delays():
            if len(self._waiting) < MOST_WAITING:
                heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._number), what))

    def _do(self, way: str, each: socket.socket, packet: bytes, address: tuple) -> None:
        if way == "out":
            try:
                each.sendto(packet, address)
            except OSError:
                pass  # the host's port is gone, or its address was none
        elif each is self._commands:
            busy = self._network.is_busy()
            answer = self._board.refuse(packet) if busy else self._board.handle(packet, address)
            if answer is not None:
                self._send_off(("out", self._commands, answer, address))
            self._follow_tags()
        else:
            self._hand_on(each, packet)

    def _hand_on(self, each: socket.socket, packet: bytes) -> None:
        """A message for the core behind a reverse tag."""
        simulation = self._board.simulation
        tag = next(tag for tag, own in self._reverse.items() if own is each)
        place = self._board.tags[tag].to
        if simulation is None or place not in simulation.sources:
            return
        try:
            simulation.sources[place].take(packet, simulation.step)
        except PacketError:
            pass

    def _follow_tags(self) -> None:
        """Have a socket for each reverse tag."""
        for number, tag in enumerate(self._board.tags):
            own = self._reverse.get(number)
            if own is not None and (tag.to is None or own.getsockname()[1] != tag.port):
                self._reverse.pop(number).close()
            if tag.to is not None and number not in self._reverse:
                try:
                    self._reverse[number] = _bound((self._host, tag.port))
                except OSError:
                    print(f"port {tag.port} of a reverse tag is taken", flush=True)
                    self._board.tags[number] = type(tag)()

    def _step(self) -> None:
        simulation = self._board.simulation
        if simulation is None or time.monotonic() < self._next:
            return
        for tag, message in simulation.tick():
            address = self._board.tags[tag].address if tag < len(self._board.tags) else None
            if address is not None:
                self._send_off(("out", self._commands, message, address))
        late = self._next if simulation.step > 1 else time.monotonic()
        self._next = late + self._tick_s
        if simulation.over:
            simulation.finish()
            self._board.simulation = None


def _bound(address: tuple[str, int]) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    try:
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
