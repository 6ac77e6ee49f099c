"""The socket that listens: it lets in so many at once that nobody fills the memory."""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import Mapping
from typing import Any

from nmcompile.errors import ServerError

# Connections at once. Each takes 256 KiB for TLS (asyncio.sslproto.SSLProtocol.max_size) before
# anything is known of who it is, and keeps them until garbage is collected.
MOST = 256
BACKLOG = 1000  # connections that wait to be looked at, as many as the system has room for


class Gate(socket.socket):
    """Closes connections beyond MOST as they come.

    One that was closed counts until garbage has been collected twice: once surely behind its end.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: list[socket.socket] = []
        self._closed: list[int] = []  # collections that had been made when each was seen closed
        self._collections = self._accepted = 0
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, told: Mapping[str, int]) -> None:
        """Called by the interpreter."""
        self._collections += phase == "stop" and told["generation"] == 2

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises BlockingIOError where none waits."""
        while True:
            link, address = super().accept()
            if self._held() < MOST:
                self._open.append(link)
                self._accepted += 1
                return link, address
            link.close()

    def refused(self, came: int, inside: int) -> int:
        """Connections that ended before they were let in.

        came, inside  connections that were let in, and those of them that are not gone
        """
        still = sum(link.fileno() != -1 for link in self._open)
        return self._accepted - came - max(0, still - inside)

    def _held(self) -> int:
        """Connections that take memory."""
        still = [link for link in self._open if link.fileno() != -1]
        self._closed += [self._collections] * (len(self._open) - len(still))
        self._closed = [seen for seen in self._closed if self._collections < seen + 2]
        self._open = still
        return len(still) + len(self._closed)

    def close(self) -> None:
        """Listen no more."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
        super().close()


def gate(host: str, port: int) -> Gate:
    """A gate that is bound to `port` of `host`. Raises NmcError where that cannot be."""
    listener = None
    with contextlib.ExitStack() as opened:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = opened.enter_context(Gate(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except (OSError, ValueError) as error:
            raise ServerError("nmc serve", f"cannot listen on {host} port {port}: "
                              f"{getattr(error, 'strerror', None) or error}",
                              "Name another --host or --port.") from error
        opened.pop_all()
    return listener
