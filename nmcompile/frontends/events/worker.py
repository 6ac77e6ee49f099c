"""The process that decodes recordings: libraries may crash on a damaged file, or take for ever.

It is given files on stdin, a line of JSON each, and writes for each to stdout: a line of JSON with
the size of the sensor, then pieces, each a line with its number of events and the events as bytes,
and last a piece of none; or a line with what is wrong. See `reader`.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from nmcompile.frontends.events.decoders import DECODERS, EVENT, File, UnreadableError

MEMORY = 2 << 30  # bytes of address space
ENOUGH = 1 << 16  # events that are handed on together


def main() -> None:
    """Decode what stdin names until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reads from here
    _limit_memory()
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        try:
            _send(File(**json.loads(line)), out)
        except BrokenPipeError:
            return
        except UnreadableError as error:
            _say(out, {"error": str(error)})
        except BaseException as error:  # a panic of a Rust library is no Exception
            text = (str(error).strip().splitlines() or [""])[0][:160].rstrip(".")
            _say(out, {"error": "is damaged, or of a kind that is not read "
                                f"({text or type(error).__name__})"})


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # there is no such thing on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _send(file: File, out: BinaryIO) -> None:
    size, pieces = DECODERS[file.format](file)
    _say(out, {"size": size})
    for piece in _joined(pieces):
        _say(out, {"events": len(piece)})
        out.write(piece.tobytes())
    _say(out, {"events": 0})


def _say(out: BinaryIO, what: dict[str, Any]) -> None:
    out.write(json.dumps(what).encode() + b"\n")
    out.flush()


def _joined(pieces: Iterator[Any]) -> Iterator[Any]:
    """Pieces of at least ENOUGH events, but for the last; none is empty."""
    waiting: list[Any] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= ENOUGH:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if count:
        yield np.concatenate(waiting).astype(EVENT, copy=False)
