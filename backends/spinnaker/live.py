"""Spikes to and from a running board, step by step, as EIEIO messages over UDP.

Nothing on this way is sent again: what a network loses is lost. Cores count what they received and
sent, so that a loss is told afterwards; in which step an input came, only the board knows.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nmcompile_backends.spinnaker import eieio
from nmcompile_backends.spinnaker.loading import Loaded, PlannedCore
from nmcompile_backends.spinnaker.monitor import Monitor
from nmcompile_backends.spinnaker.regions import (
    GATHERER_PROVENANCE,
    SOURCE_PROVENANCE,
    SYSTEM_PROVENANCE,
)

from nmcompile.device import DeviceLostError
from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array

INPUT_TAG, INPUT_UDP_PORT = 2, 12345
QUIET_S = 0.2


@dataclass
class _Counts:
    """Messages and events of both sides."""

    sent: int = 0
    messages: int = 0
    events: int = 0


class Spikes:
    """Tags and sockets for one board that is loaded."""

    def __init__(self, monitor: Monitor, loaded: Loaded, tick_s: float) -> None:
        self._monitor, self._loaded, self._tick_s = monitor, loaded, tick_s
        self._source = next(c for c in loaded.plan.cores if c.label == "inputs")
        self._gatherers = [c for c in loaded.plan.cores
                           if c.program == "live_packet_gather.aplx"]
        chips = {(core.x, core.y) for core in loaded.plan.cores if core.population}
        bare = chips - {(core.x, core.y) for core in self._gatherers}
        if bare:
            x, y = min(bare)
            raise NmcError(f"chip {x}, {y}", "has no core left to gather spikes for the host",
                           "Keep one free with --constraints, or use --device-option io=memory.")
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

    def play(self, keys: Mapping[int, Array], steps: int) -> tuple[Array, Array]:
        """Send `keys` of each step in its time; the steps and keys of what comes back.

        Begins when the board does: call it right behind the signal.

        Raises DeviceLostError where messages were lost, by the cores' own counts.
        """
        counts, begin = _Counts(), time.monotonic()
        found: list[tuple[int, Array]] = []
        address = (self._monitor.link.address[0], INPUT_UDP_PORT)
        for step in range(steps):
            for message in eieio.live(keys.get(step, np.zeros(0, np.int64))):
                self._socket.sendto(message, address)
                counts.sent += 1
            self._listen(found, counts, begin + (step + 1) * self._tick_s)
        while time.monotonic() < begin + steps * self._tick_s + QUIET_S:
            self._listen(found, counts, time.monotonic() + QUIET_S / 4)
        self._last = counts
        times = [np.full(len(part), step) for step, part in found]
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *times]), np.concatenate([none, *(p for _, p in found)])

    def require_all(self) -> None:
        """Compare the counts of the last run, once all cores have paused."""
        received = self._count(self._source, SOURCE_PROVENANCE, 0)
        if received != self._last.sent:
            raise DeviceLostError(
                self._monitor.link.where, f"received {received} of {self._last.sent} messages of "
                "input spikes", "Use --device-option io=memory on a network that loses packets.")
        events = sum(self._count(core, GATHERER_PROVENANCE, 2) for core in self._gatherers)
        if events != self._last.events:
            raise DeviceLostError(
                self._monitor.link.where, f"sent {events} spikes, {self._last.events} came",
                "Use --device-option io=memory on a network that loses packets.")

    def _listen(self, found: list[tuple[int, Array]], counts: _Counts, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message = self._socket.recv(2048)
            except OSError:
                return
            told = eieio.heard(message)
            if told is not None:
                found.append(told)
                counts.messages, counts.events = counts.messages + 1, counts.events + len(told[1])

    def _count(self, core: PlannedCore, region: int, item: int) -> int:
        at = self._loaded.at(core, region) + 4 * (SYSTEM_PROVENANCE + item)
        return int.from_bytes(self._monitor.link.read(core.x, core.y, at, 4), "little")
