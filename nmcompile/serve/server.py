"""The server: lets clients in who have the key, one at a time, until a Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

from nmcompile import __version__
from nmcompile.device import Device, Place
from nmcompile.errors import BusyError, DeviceLostError, Interrupted, NmcError, WireError, one_line
from nmcompile.serve.bench import Bench
from nmcompile.serve.gate import BACKLOG, Gate, gate
from nmcompile.serve.session import Session, Terms, refusal
from nmcompile.wire import CHUNK, PROTOCOL, Refusal, parse_hello, server_context

TELL_S = 10.0  # between lines on connections that were refused
HELLO_S = 5.0  # to prove the key, and again to say hello
PING_S, SILENCE_S = 10.0, 30.0  # between pings, and without an answer until a client is gone
QUEUE = 8  # messages that wait to be read, at most
VIOLATION = 1008  # close code: policy violation (RFC 6455, section 7.4.1)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is served, and where.

    make, place  make a device that is opened at `place`
    port         0 for any
    key          file of the key that clients must have, too
    idle_s       seconds without an order after which a client has to go
    """

    make: Callable[[], Device]
    place: Place = field(default_factory=Place)
    key: Path
    host: str = "127.0.0.1"
    port: int = 0
    idle_s: float = 1800.0


def serve(
    offer: Offer, told: Callable[[str], None], listening: Callable[[str, int], None]
) -> None:
    """Serve until a Ctrl-C or SIGTERM, which closes the device and raises Interrupted.

    A second one does not wait for what the device does.

    Called by the first thread of a program.

    told       is given lines for the log
    listening  is told the device's name and the port, once clients can connect

    Raises NmcError where the device does not open, the key is none or the port is taken.
    """
    context = server_context(offer.key)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench = Bench(offer.make, offer.place, told)
    try:
        name = bench.open()
    finally:
        bench.close()
    desk = _Desk(bench, Terms(idle_s=offer.idle_s, told=told))
    try:
        with _signals_to(bench), _listening(desk, offer, context) as port:
            listening(name, port)
            bench.work()
    except KeyboardInterrupt:
        clients = f"{desk.served:,} client" + "s" * (desk.served != 1)
        raise Interrupted(f"stopped serving {name} after {clients}", "") from None


@contextmanager
def _signals_to(bench: Bench) -> Iterator[None]:
    """Ctrl-C and SIGTERM are the bench's in this block."""
    before = {number: signal.signal(number, bench.interrupt)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Desk:
    """Who has the device.

    served        clients that had it
    came, inside  connections that proved the key, and those of them that are not gone
    """

    def __init__(self, bench: Bench, terms: Terms) -> None:
        self._bench, self._terms, self.served = bench, terms, 0
        self.came = self.inside = self._refused = 0
        self._holder, self._since = "", 0.0

    async def receive(self, link: ServerConnection) -> None:
        """Serve a client, or tell it who is served."""
        self.came, self.inside = self.came + 1, self.inside + 1
        try:
            with suppress(ConnectionClosed):
                await self._receive(link)
        except DeviceLostError as error:
            await _turn_away(link, refusal("lost", error))
        except _BusyError as error:
            await _turn_away(link, refusal("busy", error))
        except NmcError as error:
            await _turn_away(link, refusal("closed", error))
        except Exception as error:  # of ours: this client is lost, the next one is served
            self._terms.told(traceback.format_exc())
            await _turn_away(link, refusal("lost", DeviceLostError(
                "nmc serve", f"failed: {type(error).__name__}", "The server's log has more.")))
        finally:
            self.inside -= 1

    def tell_refused(self, listener: Gate) -> None:
        """Tell the log how many connections more have ended without the key."""
        refused = listener.refused(self.came, self.inside)
        if refused > self._refused:
            self._terms.told(f"{refused - self._refused:,} more connection(s) did not prove the "
                             f"key, {refused:,} so far")
            self._refused = refused

    async def _receive(self, link: ServerConnection) -> None:
        who = await self._greeted(link)
        if self._holder:
            minutes = (time.monotonic() - self._since) / 60
            raise _BusyError("device", f"in use by {self._holder} for {minutes:.0f} min",
                             "Try again when they are done.")
        self._holder, self._since, self.served = who, time.monotonic(), self.served + 1
        self._terms.told(f"{who} has the device")
        try:
            await Session(link, who, self._bench, self._terms).serve()
        except NmcError as error:
            self._terms.told(str(error))
            raise
        finally:
            self._holder = ""
            self._terms.told(f"{who} is gone")

    async def _greeted(self, link: ServerConnection) -> str:
        """Who the client is, by its own word and its address."""
        address = str(link.remote_address[0])
        try:
            hello = parse_hello(await asyncio.wait_for(link.recv(), HELLO_S), address)
        except asyncio.TimeoutError:
            raise WireError(address, f"said no hello for {HELLO_S:.0f} s") from None
        if hello.protocol != PROTOCOL:
            raise WireError(
                "nmc serve", f"speaks protocol {PROTOCOL} (nmcompile {__version__}), the client "
                f"protocol {hello.protocol} (nmcompile {hello.nmcompile})",
                "Install one version on both machines.")
        return f"{one_line(hello.who)} ({address})"


class _BusyError(BusyError):
    """Another client has the device."""


async def _turn_away(link: ServerConnection, answer: Refusal) -> None:
    with suppress(ConnectionClosed):
        await link.send(answer.model_dump_json())
    await link.close(VIOLATION)


@contextmanager
def _listening(desk: _Desk, offer: Offer, context: ssl.SSLContext) -> Iterator[int]:
    """A thread that serves the network in this block; the port."""
    listener = gate(offer.host, offer.port)
    port: int = listener.getsockname()[1]
    started: Future[Callable[[], None]] = Future()

    def run() -> None:
        try:
            asyncio.run(_network(desk, listener, context, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="network", daemon=True)
    thread.start()
    try:
        started.result()
        yield port
    finally:
        if started.exception() is None:
            started.result()()
        thread.join()


async def _network(
    desk: _Desk, listener: Gate, context: ssl.SSLContext, started: Future[Callable[[], None]]
) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(stopped.set)

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # not each answer that nobody reads
    server = listen(
        desk.receive, sock=listener, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=HELLO_S,
        open_timeout=HELLO_S, ping_interval=PING_S, ping_timeout=SILENCE_S, close_timeout=2,
        max_size=CHUNK, max_queue=QUEUE, compression=None, server_header=None, logger=_silent())
    async with server:
        started.set_result(stop)
        while not stopped.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopped.wait(), TELL_S)
            desk.tell_refused(listener)


def _silent() -> logging.Logger:
    """A log that nobody reads: of connections without a key, of which there may be thousands."""
    logger = logging.getLogger("nmcompile.serve")
    logger.propagate = False
    logger.disabled = True
    return logger
