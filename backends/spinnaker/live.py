"""Spikes to and from a running board, step by step, as EIEIO messages over UDP.

Nothing on this way is sent again: what a network loses is lost. Cores count what they received and
sent, so that a loss is told afterwards; in which step an input came, only the board knows. What
does not come from the board's address is passed over.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import numpy as np
from nmcompile_backends.spinnaker import eieio
from nmcompile_backends.spinnaker.loading import GATHERER, INPUTS, Loaded, PlannedCore
from nmcompile_backends.spinnaker.monitor import Monitor
from nmcompile_backends.spinnaker.regions import (
    GATHERER_PROVENANCE,
    SOURCE_PROVENANCE,
    SYSTEM_PROVENANCE,
)

from nmcompile.errors import BoardError, DeviceLostError
from nmcompile.ir.neurons.base import Array

INPUT_TAG, INPUT_UDP_PORT = 2, 12345
QUIET_S = 0.2


class Spikes:
    """Tags and sockets for one board that is loaded."""

    def __init__(self, monitor: Monitor, loaded: Loaded, tick_s: float) -> None:
        self._monitor, self._loaded, self._tick_s = monitor, loaded, tick_s
        self._source = next(c for c in loaded.plan.cores if c.label == INPUTS)
        self._gatherers = [c for c in loaded.plan.cores
                           if c.program == GATHERER]
        chips = {(core.x, core.y) for core in loaded.plan.cores if core.population}
        bare = chips - {(core.x, core.y) for core in self._gatherers}
        if bare:
            x, y = min(bare)
            raise BoardError(f"chip {x}, {y}", "has no core left to gather spikes for the host",
                             "Keep one free with --constraints, or use --device-option io=memory.")
        self._sent, self._room, self._found = 0, 0, list[tuple[int, Array]]()
        self._board = monitor.link.board_address()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((socket.inet_ntoa(monitor.link.own_address()), 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        monitor.set_tag(loaded.plan.output_tag, self._socket.getsockname()[1])
        monitor.set_reverse_tag(INPUT_TAG, self._source.place, INPUT_UDP_PORT,
                                loaded.plan.input_port)
        monitor.link.settle()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def play(self, keys: Mapping[int, Array], steps: int) -> None:
        """Send `keys` of each step half a step ahead of it. Call it right behind the signal.

        Raises DeviceLostError where more spikes come than all neurons and `keys` can be.
        """
        self._sent, self._found, begin = 0, [], time.monotonic()
        self._room = sum(map(len, keys.values())) + (steps + 1) * sum(
            len(core.neurons) for core in self._loaded.plan.cores)
        address = (self._monitor.link.address[0], INPUT_UDP_PORT)
        for step in range(steps):
            self._listen(begin + (step - 0.5) * self._tick_s)
            for message in eieio.live(keys.get(step, np.zeros(0, np.int64))):
                self._socket.sendto(message, address)
                self._sent += 1

    def collect(self) -> tuple[Array, Array]:
        """The steps and keys (e,) of all spikes that came, once all cores have paused.

        Raises DeviceLostError where messages were lost, by the cores' own counts, or there are more
        spikes than there can be.
        """
        self._listen(time.monotonic() + QUIET_S)
        times = [np.full(len(part), step) for step, part in self._found]
        none = np.zeros(0, np.int64)
        when, keys = (np.concatenate([none, *parts])
                      for parts in (times, [part for _, part in self._found]))
        received = self._count(self._source, SOURCE_PROVENANCE, 0)
        sent = sum(self._count(core, GATHERER_PROVENANCE, 2) for core in self._gatherers)
        for what, own, other in (("messages of input spikes", received, self._sent),
                                 ("spikes to the host", len(keys), sent)):
            if own != other:
                raise DeviceLostError(
                    self._monitor.link.where, f"{own} of {other} {what} arrived",
                    "Give a longer --device-option tick, or io=memory, which loses nothing.")
        return when, keys

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message, (host, _) = self._socket.recvfrom(2048)
            except OSError:
                return
            told = eieio.heard(message) if host == self._board else None
            if told is None:
                continue
            self._room -= len(told[1])
            if self._room < 0:
                raise DeviceLostError(self._monitor.link.where, "sent more spikes than its neurons "
                                      "can in this time", "Use --device-option io=memory.")
            self._found.append(told)

    def _count(self, core: PlannedCore, region: int, item: int) -> int:
        at = self._loaded.at(core, region) + 4 * (SYSTEM_PROVENANCE + item)
        return int.from_bytes(self._monitor.link.read(core.x, core.y, at, 4), "little")
