"""What hostile clients of `nmc serve` do."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from damage import NAMES, of_bytes, of_hdf5, of_heap, of_sizes
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from nmcompile import __version__, wire

SOON_S, CONNECT_S = 0.2, 5.0  # that a client waits for an answer, and for a connection
CROWD = 100  # connections at once
SIZES = (0, 1, 2, -1, 5, 1 << 20, 1 << 31, (1 << 31) + 1, 1 << 40, 1 << 62, 1 << 64, 1.5, "1", None)
HELLO = {"say": "hello", "protocol": wire.PROTOCOL, "nmcompile": __version__, "who": "a fuzzer"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """The server under attack.

    key, other  its key, and a key that it does not know
    build       a build that it could run
    """

    port: int
    key: Path
    other: Path
    build: Path
    kept: list[socket.socket] = field(default_factory=list)

    @property
    def program(self) -> bytes:
        """A good program.h5."""
        return (self.build / "program.h5").read_bytes()


def quiet(attack: Callable[[Site, random.Random], None]) -> Callable[[Site, random.Random], None]:
    """`attack`, which the server may cut off at any point."""
    def attacked(site: Site, rng: random.Random) -> None:
        with contextlib.suppress(OSError, EOFError, ssl.SSLError, WebSocketException):
            attack(site, rng)

    attacked.__name__ = attack.__name__
    return attacked


def plain(site: Site) -> socket.socket:
    """A TCP connection."""
    link = socket.create_connection(("127.0.0.1", site.port), CONNECT_S)
    link.settimeout(SOON_S)
    return link


@quiet
def noise(site: Site, rng: random.Random) -> None:
    """Bytes, some of them HTTP, where TLS is due."""
    with plain(site) as link:
        link.sendall(rng.choice((rng.randbytes(rng.randint(1, 5000)), b"GET / HTTP/1.1\r\n\r\n",
                                 b"\x16\x03\x01\xff\xff" + rng.randbytes(70_000))))
        if rng.random() < 0.5:
            link.recv(100)


@quiet
def broken_tls(site: Site, rng: random.Random) -> None:
    """A damaged first flight of TLS, in parts."""
    outgoing = ssl.MemoryBIO()
    tls = wire.client_context(site.key).wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    sent = of_bytes(outgoing.read(), rng)
    with plain(site) as link:
        for first in range(0, len(sent), step := rng.randint(1, 600)):
            link.sendall(sent[first : first + step])
        if rng.random() < 0.5:
            link.recv(10_000)


@quiet
def strangers(site: Site, rng: random.Random) -> None:
    """TLS with another key, or with none, and a hello as if that were fine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if rng.random() < 0.5:
        context.load_cert_chain(site.other)
    with plain(site) as link, context.wrap_socket(link) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" + json.dumps(HELLO).encode())
        assert not tls.recv(1000), "a stranger was answered"


@quiet
def crowd(site: Site, rng: random.Random) -> None:
    """Many connections that say nothing; half of them stay a while."""
    links = [plain(site) for _ in range(rng.randint(1, CROWD))]
    while len(site.kept) > 5 * CROWD:
        site.kept.pop(0).close()
    for link in links:
        if rng.random() < 0.5:
            site.kept.append(link)
        else:
            link.close()


class Link:
    """A client with the key, frame by frame."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls = tls
        self._protocol = ClientProtocol(parse_uri("wss://127.0.0.1/"), max_size=None)
        self._protocol.send_request(self._protocol.connect())

    def outgoing(self) -> bytes:
        """What is to be sent next."""
        return b"".join(self._protocol.data_to_send())

    def frame(self, message: str | bytes, fin: bool = True) -> bytes:
        """A message as the bytes of a frame, once the server has agreed."""
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        data = message.encode("utf-8", "replace") if isinstance(message, str) else message
        return Frame(opcode, data, fin).serialize(mask=True)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._tls.sendall(data)

    def say(self, message: Any) -> None:
        """Send a message."""
        self.send(self.frame(json.dumps(message)))

    def hear(self, seconds: float = SOON_S, until: str = "") -> str:
        """What the server sends until it falls silent, closes, or says `until`."""
        heard, end = b"", time.monotonic() + seconds
        while time.monotonic() < end and (not until or until.encode() not in heard):
            self._tls.settimeout(max(end - time.monotonic(), 0.001))
            try:
                part = self._tls.recv(1 << 16)
            except TimeoutError:
                break
            if not part:
                break
            heard += part
        return heard.decode("latin-1")


@contextmanager
def friend(site: Site) -> Iterator[Link]:
    """A client with the key whose WebSocket is open."""
    with plain(site) as tcp:
        tcp.settimeout(CONNECT_S)
        tls = wire.client_context(site.key).wrap_socket(tcp)
        link = Link(tls)
        link.send(link.outgoing())
        if "101" not in link.hear(CONNECT_S, until="\r\n\r\n"):
            raise EOFError
        yield link


@contextmanager
def holder(site: Site) -> Iterator[Link]:
    """A client that has the device."""
    with friend(site) as link:
        link.say(HELLO)
        if "welcome" not in link.hear(CONNECT_S, until="}"):
            raise EOFError
        yield link


@quiet
def broken_http(site: Site, rng: random.Random) -> None:
    """A damaged or endless request for a WebSocket."""
    with plain(site) as tcp, wire.client_context(site.key).wrap_socket(tcp) as tls:
        request = Link(tls).outgoing()
        endless = b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * rng.randint(1, 100_000)
        tls.sendall(rng.choice((of_bytes(request, rng), endless, rng.randbytes(1000))))
        if rng.random() < 0.5:
            tls.recv(1000)


@quiet
def broken_frames(site: Site, rng: random.Random) -> None:
    """Frames with damage, of lengths that are not there, fragments without end, and pings."""
    with friend(site) as link:
        hello = link.frame(json.dumps(HELLO))
        huge = b"\x82\xff" + rng.choice((1 << 20, 1 << 32, (1 << 63) - 1)).to_bytes(8, "big")
        parts = link.frame(b"x" * 1000, fin=False) + b"".join(
            Frame(Opcode.CONT, b"x" * 100_000, False).serialize(mask=True) for _ in range(30))
        pings = Frame(Opcode.PING, b"p" * 125).serialize(mask=True) * rng.randint(1, 2000)
        data = rng.choice((hello + huge + b"x" * 5000, hello + parts, parts, pings, hello + pings,
                           of_bytes(hello, rng), hello + of_bytes(hello, rng),
                           b"\x81\xfe\xff\xff" + rng.randbytes(70_000)))
        link.send(data)
        if rng.random() < 0.5:
            link.hear(0.2)


@quiet
def wrong_words(site: Site, rng: random.Random) -> None:
    """Messages that are none, in any order."""
    with friend(site) as link:
        if rng.random() < 0.7:
            link.say(HELLO)
        for _ in range(rng.randint(1, 4)):
            whole = rng.choice((HELLO, load(site), run(), step(), {"say": "begin"}))
            message = damaged_message(whole, rng)
            text = json.dumps(message) if rng.random() < 0.8 else "[" * rng.randint(1, 200_000)
            link.send(link.frame(rng.choice((text, text, text.encode(), of_bytes(
                text.encode(), rng).decode("utf-8", "replace")))))
        link.hear(0.1)


def load(site: Site) -> dict[str, Any]:
    """An order to load the program."""
    return {"say": "load", "size": len(site.program)}


def run() -> dict[str, Any]:
    """An order to run two samples of digits."""
    return {"say": "run", "inputs": [{"name": "input", "dtype": "<i4", "shape": [2, 8, 1, 8, 8]}],
            "wanted": {"lif1": ["spikes"], "lif3": ["spikes", "v"]}}


def of_nothing(rng: random.Random) -> dict[str, Any]:
    """An order to run them, for nothing of populations that may not be there."""
    return {**run(), "wanted": {rng.choice(("lif1", *NAMES)): [] for _ in range(2)}}


def step() -> dict[str, Any]:
    """An order to run a step of a sample."""
    return {"say": "step", "inputs": [{"name": "input", "dtype": "<i4", "shape": [1, 8, 8]}]}


def damaged_message(message: Any, rng: random.Random) -> Any:
    """A message with a value or name changed, left out or repeated, at any depth."""
    if isinstance(message, dict) and message and rng.random() < 0.85:
        key = rng.choice(sorted(message))
        changed = {**message, key: damaged_message(message[key], rng)}
        if rng.random() < 0.1:
            changed.pop(key)
        if rng.random() < 0.1:
            changed[rng.choice(NAMES)] = rng.choice(SIZES)
        return changed
    if isinstance(message, list) and message and rng.random() < 0.85:
        at = rng.randrange(len(message))
        rest = message[at + rng.randint(0, 1) :]
        return [*message[:at], damaged_message(message[at], rng), *rest]
    return rng.choice((*SIZES, *NAMES, [], {}, ["config/../../x", "program.h5"], "|O", "<f2", ">i4",
                       [1] * rng.choice((1, 40, 3000))))


@quiet
def broken_program(site: Site, rng: random.Random) -> None:
    """A damaged program, and then a run of it where it was taken."""
    damage, = rng.choices((of_hdf5, of_bytes, of_heap, of_sizes), (5, 2, 2, 1))
    data = damage(site.program, rng)
    with holder(site) as link:
        upload(link, data)
        if "loaded" in link.hear(30, until="}"):
            spikes(link, rng)


@quiet
def broken_run(site: Site, rng: random.Random) -> None:
    """Runs of a good program: of damaged orders, too few or too many bytes, any payloads."""
    with holder(site) as link:
        upload(link, site.program)
        if "loaded" not in link.hear(30, until="}"):
            raise AssertionError("a good program was refused")
        for _ in range(3):
            if rng.random() < 0.3:
                link.say(damaged_message(run(), rng) if rng.random() < 0.7 else of_nothing(rng))
                link.hear(0.05)
            if rng.random() < 0.5:
                spikes(link, rng)
            else:
                steps(link, rng)


def upload(link: Link, data: bytes) -> None:
    """Order a load and send the program, in parts."""
    link.say({"say": "load", "size": len(data)})
    for first in range(0, len(data), 1 << 19):
        link.send(link.frame(data[first : first + (1 << 19)]))


def spikes(link: Link, rng: random.Random) -> None:
    """Order a run and send as many bytes as it takes, or not."""
    size = 2 * 8 * 64 * 4
    link.say(run())
    data = rng.choice((bytes(size), b"\x01\0\0\0" * (size // 4), rng.randbytes(size)))
    link.send(link.frame(rng.choice((data, data, data, data[:-3], data + b"x", b""))))
    if rng.random() < 0.8:
        link.hear(0.1 if rng.random() < 0.5 else SOON_S, until="boundary")


def steps(link: Link, rng: random.Random) -> None:
    """Steps of a sample, which began or not, with as many bytes as they take, or not."""
    if rng.random() < 0.8:
        link.say({"say": "begin"})
        link.hear(until="begun")
    for _ in range(rng.randint(1, 20)):
        link.say(step() if rng.random() < 0.9 else damaged_message(step(), rng))
        link.send(link.frame(rng.randbytes(256 if rng.random() < 0.9 else rng.randint(0, 300))))
        if rng.random() < 0.9:
            link.hear(until="arrays")


@quiet
def slow(site: Site, rng: random.Random) -> None:
    """A client that begins and then only holds on."""
    link = plain(site)
    tls = wire.client_context(site.key).wrap_socket(link)
    site.kept.append(tls)
    request = Link(tls).outgoing()
    tls.sendall(request[: rng.randint(1, len(request))])


ATTACKS = (noise, broken_tls, strangers, crowd, broken_http, broken_frames, wrong_words,
           wrong_words, broken_program, broken_run, slow)
