"""Ctrl-C between blocks: Python drops a KeyboardInterrupt that comes while it frees an object."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heard() -> Iterator[Callable[[], None]]:
    """A first Ctrl-C interrupts when what is given is called next, a second one at once.

    The end of the block is such a call. Handlers of signals that are not Python's own, and threads
    other than the first, are left alone.
    """
    pressed = threading.Event()

    def look() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    def press(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            signal.default_int_handler(number, frame)
        pressed.set()

    own = (threading.current_thread() is threading.main_thread()
           and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    if not own:
        yield look
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield look
        look()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
