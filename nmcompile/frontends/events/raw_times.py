"""Times of DAT, EVT2 and EVT3 files, looked over ahead of faery.

Where a time is below the one before it, faery 0.7 keeps that one. Sensors step back by some
microseconds in EVT3, which this mends; what it hides is refused here: any such time in DAT, and
upper bits of time (TIME_HIGH) that fall in EVT2 and EVT3. In EVT3 faery follows these around their
end only where they go from 4095 to 0; else time stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

BLOCK = 1 << 20  # words that are looked at at once
TIME_HIGH = 0x8  # in the upper 4 bits of a word: docs.prophesee.ai, "EVT 2.0" and "EVT 3.0"
TURN3 = 4095  # of the upper bits of time in EVT3


def fault_of(path: str, start: int, kind: str) -> str:
    """What is wrong with the times behind the first `start` bytes; "" where they run forwards.

    kind  "DAT", "EVT2" or "EVT3"
    """
    with open(path, "rb") as file:
        file.seek(start)
        return FAULTS[kind](file)


def _words(file: BinaryIO, kind: str) -> Iterator[Any]:
    word = np.dtype(kind)
    while len(read := file.read(BLOCK * word.itemsize)) >= word.itemsize:
        yield np.frombuffer(read, word, len(read) // word.itemsize).astype(np.int64)


def _backwards(t: Any, last: int) -> str:
    """What is wrong with times of which the one before was `last`."""
    back = np.flatnonzero(np.diff(t, prepend=last) < 0)
    return f"has times that run backwards, at {int(t[back[0]]):,} us" if len(back) else ""


def _unwrapped(counts: Any, last: int, bits: int) -> Any:
    """Counts of so many bits as ones that go on, from the one before on."""
    turn = 1 << bits
    fell = np.diff(counts, prepend=last % turn) < -(turn >> 1)
    return counts + (np.cumsum(fell) + last // turn) * turn


def _dat(file: BinaryIO) -> str:
    last = 0
    for words in _words(file, "<u8"):
        t = _unwrapped(words & 0xFFFFFFFF, last, 32)
        if fault := _backwards(t, last):
            return fault
        last = int(t[-1])
    return ""


def _evt2(file: BinaryIO) -> str:
    last = 0
    for words in _words(file, "<u4"):
        highs = _unwrapped(words[words >> 28 == TIME_HIGH] & 0xFFFFFFF, last, 28)
        if fault := _backwards(highs << 6, last << 6):
            return fault
        last = int(highs[-1]) if len(highs) else last
    return ""


def _evt3(file: BinaryIO) -> str:
    last = 0
    for words in _words(file, "<u2"):
        counts = words[words >> 12 == TIME_HIGH] & 0xFFF
        if fault := _broken_turn(counts, last):
            return fault
        last = int(counts[-1]) if len(counts) else last
    return ""


def _broken_turn(counts: Any, last: int) -> str:
    """What is wrong with the upper bits of time, of which the ones before were `last`."""
    steps = np.diff(counts, prepend=last)
    wrong = np.flatnonzero((steps >= TURN3 - 1) | ((steps < 0) & (steps != -TURN3)))
    if not len(wrong):
        return ""
    at = int(wrong[0])
    return (f"has upper bits of time (TIME_HIGH) that go from {int(counts[at] - steps[at])} to "
            f"{int(counts[at])}, which the decoder does not follow: cut the file there, or "
            "convert it to EVT2 or DAT")


FAULTS: dict[str, Callable[[BinaryIO], str]] = {"DAT": _dat, "EVT2": _evt2, "EVT3": _evt3}
