"""The socket that listens: it lets in so many at once that nobody fills the memory."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from nmcompile.errors import NmcError

# Connections at once. Each takes 256 KiB for TLS (asyncio.sslproto.SSLProtocol.max_size) before
# anything is known of who it is.
MOST = 256
BACKLOG = 1000  # connections that wait to be looked at, as many as the system has room for


class Gate(socket.socket):
    """Closes connections beyond MOST as they come."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._in: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises BlockingIOError where none waits."""
        while True:
            link, address = super().accept()
            self._in = [other for other in self._in if other.fileno() != -1]  # those not closed
            if len(self._in) < MOST:
                self._in.append(link)
                return link, address
            link.close()


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
        except (OSError, UnicodeError) as error:
            raise NmcError("nmc serve", f"cannot listen on {host} port {port}: "
                           f"{getattr(error, 'strerror', None) or error}",
                           "Name another --host or --port.") from error
        opened.pop_all()
    return listener
