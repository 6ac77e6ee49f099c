"""A link to a board: what a command's answer is, and what comes of busy, lost and short ones."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from helpers.spinnaker_board import BAD_NETWORK, HOST, emulated_board
from nmcompile_backends.spinnaker.load_plan import table_bytes
from nmcompile_backends.spinnaker.monitor import ALLOC_ROUTES, ALLOCATE, Monitor
from nmcompile_backends.spinnaker.scp import Call, Link

from nmcompile.errors import DeviceLostError, NmcError

SDRAM_BEGINS, SDRAM = 0x60000000, 0x60300000
BUSY, DONE = 0x8D, 0x80


@contextmanager
def answering(codes, body: bytes = bytes(20)) -> Iterator[tuple[str, int]]:
    """A peer that answers each packet with the codes that `codes(number)` gives, and `body`."""
    over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST, 0))
        peer.settimeout(0.02)

        def answer() -> None:
            number = 0
            while not over.is_set():
                try:
                    packet, sender = peer.recvfrom(2048)
                except TimeoutError:
                    continue
                for code in codes(number):
                    peer.sendto(bytes([0, 0, 7, 255, 255, 0, 0, 0, 0, 0])
                                + struct.pack("<H", code) + packet[12:14] + body, sender)
                number += 1

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield peer.getsockname()
        finally:
            over.set()
            thread.join()


@contextmanager
def relay(board: tuple[str, int], loses) -> Iterator[tuple[str, int]]:
    """A way to `board` on which no answer comes to commands that `loses(packet)`."""
    over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        near.bind((HOST, 0))
        near.settimeout(0.02)
        far.connect(board)
        far.settimeout(5)

        def carry() -> None:
            while not over.is_set():
                try:
                    packet, sender = near.recvfrom(2048)
                except TimeoutError:
                    continue
                far.send(packet)
                answer = far.recv(2048)
                if not loses(packet):
                    near.sendto(answer, sender)

        thread = threading.Thread(target=carry)
        thread.start()
        try:
            yield near.getsockname()
        finally:
            over.set()
            thread.join()


def test_memory_beside_what_is_written_stays_as_it_was_over_a_bad_network() -> None:
    rng = np.random.default_rng(0)
    with emulated_board(*BAD_NETWORK, "--seed", "7") as (_, port), Link((HOST, port)) as link:
        wanted = bytearray(1 << 14)
        for _ in range(12):
            first = int(rng.integers(0, len(wanted) - 1500))
            part = rng.bytes(int(rng.integers(1, 1500)))
            wanted[first : first + len(part)] = part
            link.write(3, 3, SDRAM + first, part)
            link.settle()
        assert link.read(3, 3, SDRAM - 512, len(wanted) + 1024) == bytes(512) + wanted + bytes(512)
        assert link.read(3, 4, SDRAM, len(wanted)) == bytes(len(wanted))


def test_only_the_answer_to_a_command_is_taken_for_it() -> None:
    """A peer that answers each command with other numbers, of other cores, cut off, then rightly."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((HOST, 0))
    peer.settimeout(5)

    def answer() -> None:
        for _ in range(4):
            packet, sender = peer.recvfrom(2048)
            _, sequence, address, n_bytes = struct.unpack_from("<HHII", packet, 10)
            head = bytes([0, 0, 7, 255, 255, 0, 0, 0, 0, 0])
            right = struct.pack("<HH", 0x80, sequence) + struct.pack("<I", address)[:1] * n_bytes
            wrong = b"\xee" * n_bytes
            for made in (head + struct.pack("<HH", 0x80, sequence - 1 & 0xFFFF) + wrong,
                         head[:5] + b"\x03" + head[6:] + struct.pack("<HH", 0x80, sequence) + wrong,
                         head[:9] + b"\x01" + struct.pack("<HH", 0x80, sequence) + wrong,
                         head[:8], b"", head + right, head + right):
                peer.sendto(made, sender)

    thread = threading.Thread(target=answer)
    thread.start()
    with Link(peer.getsockname()) as link:
        assert link.read(0, 0, 0x60000011, 1000) == bytes(
            b for part in (0x11, 0x11, 0x11, 0x11) for b in [part] * 256)[:1000]
    thread.join()
    peer.close()


def test_a_board_that_is_busy_for_a_while_is_waited_for() -> None:
    until = time.monotonic() + 0.5
    with answering(lambda _: [BUSY if time.monotonic() < until else DONE]) as address, \
            Link(address) as link:
        assert link.call(Call(x=0, y=0, command=0)) == bytes(20)
        assert link._lost == 0


def test_a_board_that_stays_busy_is_given_up_with_that_reason(monkeypatch) -> None:
    monkeypatch.setattr("nmcompile_backends.spinnaker.scp.BUSY_S", 0.3)
    with answering(lambda _: [BUSY]) as address, Link(address) as link, \
            pytest.raises(DeviceLostError, match=r"chip 0, 0 answers command 0 with 'busy' for"):
        link.call(Call(x=0, y=0, command=0))


def test_busy_answers_that_come_twice_hide_no_loss() -> None:
    """Of three packets one is put off, twice over, one is lost and one is answered."""
    with answering(lambda n: ([BUSY, BUSY], [], [DONE])[n % 3]) as address, \
            Link(address, wait_s=0.02) as link:
        for _ in range(10):
            link.call(Call(x=0, y=0, command=0))
        assert (link._lost, link._tries) == (10, 30)


def test_routing_entries_are_claimed_once_where_the_first_answer_is_lost() -> None:
    """A chip has 1,023 entries, so that a second claim of 600 finds none."""
    rows = np.stack([np.arange(600), np.full(600, 0xFFFFFFFF), np.ones(600)], 1).astype(np.uint32)
    claims = []

    def loses(packet: bytes) -> bool:
        command, what = struct.unpack_from("<H2xI", packet, 10)
        claims.extend([what] * (command == ALLOCATE and what & 0xFF == ALLOC_ROUTES))
        return len(claims) == 1 and what == claims[0]

    with emulated_board() as (_, port), relay((HOST, port), loses) as address, \
            Link(address, wait_s=0.05, settle_s=0.01) as link:
        Monitor(link, 30, bytes(16)).load_routes(0, 0, table_bytes(rows), 1)
    assert len(claims) == 3


def test_what_is_allocated_is_not_read_from_an_answer_without_an_address() -> None:
    with answering(lambda _: [DONE], bytes(3)) as address, Link(address) as link, \
            pytest.raises(NmcError, match="command 28 of chip 0, 0 with 3 bytes"):
        Monitor(link, 30, bytes(16)).allocate(0, 0, 4, 1)


@pytest.mark.parametrize("n_bytes", [0, 3, 29])
def test_answers_that_are_too_short_are_refused_in_one_line(n_bytes: int) -> None:
    with answering(lambda _: [DONE], bytes(n_bytes)) as address, Link(address) as link:
        board = Monitor(link, 30, bytes(16))
        for ask in (board.greet, lambda: board.states(0, 0), lambda: board.cores([(0, 0, 1)])):
            with pytest.raises(NmcError, match=r"with \d+ bytes|not running SC&MP") as error:
                ask()
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("address", [
    1, SDRAM_BEGINS - 4, SDRAM_BEGINS + (1 << 27) - 96, 0xFFFFFF00, 0xFFFFFFF8])
def test_a_block_that_is_not_in_sdram_is_not_written_to(address: int) -> None:
    with answering(lambda _: [DONE], address.to_bytes(4, "little")) as peer, Link(peer) as link, \
            pytest.raises(NmcError, match=f"100 bytes of SDRAM at {address:#x}, which it does"):
        Monitor(link, 30, bytes(16)).allocate(0, 0, 100, 1)


def test_a_block_at_either_end_of_sdram_is_taken() -> None:
    for address in (SDRAM_BEGINS, SDRAM_BEGINS + (1 << 27) - 100):
        with answering(lambda _: [DONE], address.to_bytes(4, "little")) as peer, \
                Link(peer) as link:
            assert Monitor(link, 30, bytes(16)).allocate(0, 0, 100, 1) == address


@pytest.mark.parametrize("first", [1024, 925, 0xFFFFFFFF])
def test_routing_entries_that_no_router_has_are_not_claimed(first: int) -> None:
    with answering(lambda _: [DONE], first.to_bytes(4, "little")) as peer, Link(peer) as link, \
            pytest.raises(NmcError, match=f"100 routing entries from {first:,} on"):
        Monitor(link, 30, bytes(16))._claim_routes(0, 0, 100)


def test_the_last_routing_entries_of_a_router_are_taken() -> None:
    with answering(lambda _: [DONE], (924).to_bytes(4, "little")) as peer, Link(peer) as link:
        assert Monitor(link, 30, bytes(16))._claim_routes(0, 0, 100) == 924


@pytest.mark.parametrize("address", [0xFFFFFF80, 0xFFFFFFFF, 0x1FFFFFFFF])
def test_memory_beyond_32_bits_is_neither_read_nor_written(address: int) -> None:
    def asked(number: int) -> list[int]:
        raise AssertionError(number)

    with answering(asked) as peer, Link(peer) as link:
        for ask in (lambda: link.read(0, 0, address, 300),
                    lambda: link.write(0, 0, address, bytes(300))):
            with pytest.raises(DeviceLostError, match=f"tells of 300 bytes at {address:#x}"):
                ask()


def test_the_last_word_of_memory_is_read() -> None:
    with answering(lambda _: [DONE], b"last") as peer, Link(peer) as link:
        assert link.read(0, 0, 0xFFFFFFFC, 4) == b"last"
