"""SDP, SCP and EIEIO packets as they cross UDP.

SDP and SCP: spinnaker_tools' spinnaker.h (`sdp_hdr_t`, `cmd_hdr_t`), as SpiNNMan 7.4.1 writes them
(messages/sdp/sdp_header.py, messages/scp/abstract_messages). EIEIO: sPyNNaker's data messages
(messages/eieio/data_messages/eieio_data_header.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SDP = struct.Struct("<2x8B")  # flags, tag, ports and cores, then y and x of both ends
COMMAND = struct.Struct("<HH")  # command or result, sequence
ARGUMENTS = struct.Struct("<3I")
REPLY_EXPECTED = 0x87
SHORTEST = SDP.size + COMMAND.size
LONGEST = SDP.size + COMMAND.size + ARGUMENTS.size + 256
OK, LENGTH, BAD_COMMAND, BAD_ARGUMENT, NO_ROUTE, BAD_CORE = 0x80, 0x81, 0x83, 0x84, 0x87, 0x88
NO_BUFFER, BUSY = 0x8A, 0x8D
PREFIXED, UPPER, PAYLOAD_BASE, TIMED = 1 << 15, 1 << 14, 1 << 13, 1 << 12
KEYS_32 = 2  # type of a data message: keys of 32 bits without payloads


class PacketError(ValueError):
    """Bytes that are no packet of the kind that was expected."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A command to a core. `core` 0 is the monitor; x and y 255 are the chip with the Ethernet."""

    x: int
    y: int
    core: int
    port: int
    source: bytes  # of the SDP header, for the reply
    wants_reply: bool
    command: int
    sequence: int
    arguments: tuple[int, int, int]
    data: bytes


def read_request(packet: bytes) -> Request:
    """The command in `packet`; missing arguments are 0."""
    if not SHORTEST <= len(packet) <= LONGEST:
        raise PacketError(f"{len(packet)} bytes")
    flags, tag, to, back, y, x, back_y, back_x = SDP.unpack_from(packet)
    command, sequence = COMMAND.unpack_from(packet, SDP.size)
    body = packet[SHORTEST:]
    return Request(
        x=x, y=y, core=to & 31, port=to >> 5, source=bytes([tag, back, back_y, back_x]),
        wants_reply=flags == REPLY_EXPECTED, command=command, sequence=sequence,
        arguments=ARGUMENTS.unpack_from(body.ljust(ARGUMENTS.size, b"\0")),
        data=body[ARGUMENTS.size:])


def reply(request: Request, place: tuple[int, int], result: int, data: bytes = b"") -> bytes:
    """The answer of chip `place` to `request`."""
    tag, back, back_y, back_x = request.source
    return (SDP.pack(7, tag, back, request.port << 5 | request.core, back_y, back_x,
                     place[1], place[0])
            + COMMAND.pack(result, request.sequence) + data)


def read_events(message: bytes) -> Iterator[tuple[int | None, int]]:
    """The (time or None, key) of each event of an EIEIO data message."""
    if len(message) < 2:
        raise PacketError("no header")
    (header,) = struct.unpack_from("<H", message)
    kind, count, at = header >> 10 & 3, header & 0xFF, 2
    if header & 0xC000 == UPPER:
        raise PacketError("a command")
    wide, with_payload = bool(kind & 2), bool(kind & 1)
    prefix = base = 0
    if header & PREFIXED:
        prefix = _number(message, at, 2) << (16 if header & UPPER else 0)
        at += 2
    if header & PAYLOAD_BASE:
        base = _number(message, at, 4 if wide else 2)
        at += 4 if wide else 2
    timed = header & TIMED and (header & PAYLOAD_BASE or with_payload)
    size = (4 if wide else 2) * (2 if with_payload else 1)
    if len(message) < at + count * size:
        raise PacketError("fewer events than its header says")
    for i in range(count):
        key = _number(message, at + i * size, 4 if wide else 2)
        payload = _number(message, at + i * size + size // 2, size // 2) if with_payload else 0
        yield (base | payload if timed else None), key | prefix


def events(time: int, keys: list[int]) -> Iterator[bytes]:
    """Data messages of at most 256 bytes: keys of 32 bits behind their common time."""
    room = (256 - 6) // 4
    for first in range(0, len(keys), room):
        part = keys[first : first + room]
        header = PAYLOAD_BASE | TIMED | KEYS_32 << 10 | len(part)
        yield struct.pack(f"<HI{len(part)}I", header, time, *part)


def _number(message: bytes, at: int, size: int) -> int:
    if len(message) < at + size:
        raise PacketError("cut off")
    return int.from_bytes(message[at : at + size], "little")
