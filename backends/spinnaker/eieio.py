"""Spikes as EIEIO messages: to a core's buffer, to a core at once, and from a core with their step.

Formats: SpiNNMan 7.4.1 messages/eieio/data_messages/eieio_data_header.py and command_messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from nmcompile.ir.neurons.base import Array

PREFIXED, COMMAND, TIME_BASE, TIMED, KEYS_32 = 1 << 15, 1 << 14, 1 << 13, 1 << 12, 2 << 10
STOP = struct.pack("<H", COMMAND | 3)  # EVENT_STOP
LARGEST = 256
BASE = struct.Struct("<HI")
KEYS_A_MESSAGE = (LARGEST - BASE.size) // 4
MOST_LIVE = (LARGEST - 2) // 4


def timed(steps: Array, keys: Array) -> bytes:
    """Messages for a core's buffer: keys (e,) to be sent in `steps` (e,), rising; then the stop."""
    parts = []
    for step in np.unique(steps).tolist():
        own = keys[steps == step].astype("<u4")
        for first in range(0, len(own), KEYS_A_MESSAGE):
            part = own[first : first + KEYS_A_MESSAGE]
            parts += [BASE.pack(TIME_BASE | TIMED | KEYS_32 | len(part), step), part.tobytes()]
    return b"".join([*parts, STOP])


def live(keys: Array) -> Iterator[bytes]:
    """Messages with keys to be sent at once."""
    for first in range(0, len(keys), MOST_LIVE):
        part = keys[first : first + MOST_LIVE].astype("<u4")
        yield struct.pack("<H", KEYS_32 | len(part)) + part.tobytes()


def heard(message: bytes) -> tuple[int, Array] | None:
    """The step and the keys (e,) of a message of a gatherer; None where it is no such message."""
    if len(message) < BASE.size:
        return None
    header, step = BASE.unpack_from(message)
    n = header & 0xFF
    if header & ~0x3FF != TIME_BASE | TIMED | KEYS_32 or len(message) < BASE.size + 4 * n:
        return None
    return step, np.frombuffer(message, "<u4", n, BASE.size).astype(np.int64)
