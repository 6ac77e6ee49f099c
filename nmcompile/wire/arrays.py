"""Arrays as messages of bounded size, and back: their size is known before there is any room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import cast, get_args

import numpy as np

from nmcompile.device import Wanted
from nmcompile.errors import DeviceLimitError, WireError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.wire.messages import CHUNK, MOST_RESULT, ArrayHead, Kind

WIDEST = 8  # bytes of a number, at most


def head(name: str, values: Array) -> ArrayHead:
    """What is said of `values` before they are sent."""
    kind = values.dtype.newbyteorder("<").str
    if kind not in get_args(Kind):
        raise DeviceLimitError(name, f"holds {values.dtype}, which is not sent")
    return ArrayHead(name=name, dtype=cast(Kind, kind), shape=values.shape)


def chunks(values: Array) -> Iterator[bytes]:
    """The bytes of `values`, of at most CHUNK each."""
    sent = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
    for first in range(0, len(sent), CHUNK):
        yield sent[first : first + CHUNK].tobytes()


class Arrival:
    """Arrays that arrive one after the other, message by message."""

    def __init__(self, heads: Sequence[ArrayHead], most: int, where: str) -> None:
        """Make room for the arrays of `heads`.

        Raises WireError where they are more than `most` bytes, or of one name.
        """
        self._where, self._heads = where, tuple(heads)
        self.size = sum(_bytes(h) for h in heads)
        if self.size > most:
            raise WireError(where, f"announces {self.size:,} bytes, at most {most:,} are taken")
        if len({h.name for h in heads}) != len(heads):
            raise WireError(where, "announces two arrays of one name")
        self._room = [np.empty(_bytes(h), np.uint8) for h in heads]
        self._array, self._filled = 0, 0

    @property
    def is_whole(self) -> bool:
        """Whether all has arrived."""
        return self._array == len(self._room)

    def take(self, message: object) -> None:
        """Take the next message. Raises WireError where it holds no bytes, or bytes too many."""
        if not isinstance(message, bytes) or not message:
            raise WireError(self._where, "sent a message where bytes were due")
        room = self._room[self._array]
        end = self._filled + len(message)
        if end > len(room):
            raise WireError(self._where, f"sent {end - len(room):,} bytes more of "
                            f"'{self._heads[self._array].name}' than it announced")
        room[self._filled : end] = np.frombuffer(message, np.uint8)
        self._filled = end
        if end == len(room):
            self._array, self._filled = self._array + 1, 0

    def arrays(self) -> dict[str, Array]:
        """All arrays by name, once they are whole."""
        return {h.name: room.view(h.dtype).reshape(h.shape).astype(
                    np.dtype(h.dtype).newbyteorder("="), copy=False)
                for h, room in zip(self._heads, self._room, strict=True)}


def _bytes(head: ArrayHead) -> int:
    return prod(head.shape) * np.dtype(head.dtype).itemsize


def result_bytes(network: Network, wanted: Wanted, samples: int, steps: int) -> int:
    """Bytes that an answer with the variables `wanted` takes at most."""
    numbers = sum(network.population(name).size * len(kept) for name, kept in wanted.items())
    return samples * steps * WIDEST * (numbers + 2)  # and the measured seconds of each step


def require_result(size: int, where: str) -> None:
    """Refuse an answer of more than MOST_RESULT bytes."""
    if size > MOST_RESULT:
        raise DeviceLimitError(
            where, f"an answer may take {size:,} bytes, at most {MOST_RESULT:,} are sent",
            "Record fewer variables, or run fewer steps.")
