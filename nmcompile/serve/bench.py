"""The device on its bench: the thread that owns it does what others ask for, one at a time.

Devices know one thread, the first of the program: there a Ctrl-C arrives, and vendors' libraries
that keep to a thread find themselves on the same one always.
"""

from __future__ import annotations

import gc
import queue
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from nmcompile.device import Device, Place, Ran, Recording, Wanted, stepping_device
from nmcompile.errors import DeviceLostError, NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.registry import backend
from nmcompile.serve.upload import uploaded_program

PROGRAM, CONFIG = "program.h5", "config"  # in the folder of what is loaded
COLLECT_S = 0.5  # between collections of garbage


class Bench:
    """One place for a device; a new one for each client.

    program   what was loaded last; only the thread of the device changes it
    readable  what the device can tell of it
    """

    def __init__(
        self, make: Callable[[], Device], place: Place, told: Callable[[str], None]
    ) -> None:
        """Make an empty bench; `told` is given the tracebacks of devices that fail."""
        self._make, self._place, self._told = make, place, told
        self._device: Device | None = None
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._owed: set[Future[Any]] = set()
        self._interrupted, self._ended, self._collect = False, False, _nothing
        self.program: Program | None = None
        self.readable: Wanted = {}

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """What `call`, a method of this bench, gives once its turn has come; any thread may ask.

        The answer is cancelled where `work` has ended.
        """
        answer: Future[Any] = Future()
        self._owed.add(answer)
        answer.add_done_callback(self._owed.discard)
        self._asked.put(lambda: self._answer(answer, lambda: call(*arguments)))
        if self._ended:
            self._cancel_all()
        return answer

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: end `work` where the device is between two steps, or answered.

        Nothing is raised in the midst of it, where a library may drop it or an answer be lost. The
        second one does not wait: it raises KeyboardInterrupt at once.
        """
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        self._asked.put(self._require_uninterrupted)

    def _require_uninterrupted(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt

    def work(self) -> None:
        """Do what is asked for until `interrupt`; close the device and raise KeyboardInterrupt."""
        try:
            with _own_garbage() as self._collect:
                while True:
                    self._require_uninterrupted()
                    self._collect()
                    with suppress(queue.Empty):
                        self._asked.get(timeout=COLLECT_S)()
        finally:
            self._ended = True
            self._cancel_all()
            self.close()

    def _answer(self, answer: Future[Any], call: Callable[[], Any]) -> None:
        """Make a call; what it raises goes on without the frames that it came through."""
        fault: NmcError | None = None
        try:
            result = call()
        except NmcError as error:
            fault = error.at(error.where)
        except Exception as error:  # of a device: its client is told, the next one is served
            self._told(traceback.format_exc())
            fault = DeviceLostError("device", f"failed: {type(error).__name__}: {error}",
                                    "The server's log has more.")
        if fault is None:
            answer.set_result(result)
        else:
            answer.set_exception(fault)

    def _cancel_all(self) -> None:
        for answer in tuple(self._owed):
            answer.cancel()

    def open(self) -> str:
        """Open a device; its name."""
        device = self._make()
        self._device = device
        device.open(self._place)
        return device.name

    def load(self, folder: Path) -> Wanted:
        """Put the program in `folder` on the device; what it can tell of it.

        The configuration beside it is written here, from the program: a client's may hold code.
        """
        assert self._device is not None
        self.program = None
        program, config = uploaded_program(folder / PROGRAM), folder / CONFIG
        config.mkdir()
        backend(program.target.family).emit(program, config)
        self._device.load(program, config)
        self.readable, self.program = self._device.readable(), program
        return self.readable

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples on the device."""
        assert self._device is not None

        def ran_so_far(steps: int) -> None:
            self._require_uninterrupted()
            self._collect()
            ran(steps)

        return self._device.run(inputs, wanted, ran_so_far)

    def begin(self) -> None:
        """Begin a sample that is run step by step. Raises NmcError where the device cannot."""
        assert self._device is not None
        stepping_device(self._device).begin()

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a step of it."""
        assert self._device is not None
        return stepping_device(self._device).step(inputs)

    def close(self) -> None:
        """Close the device, if there is one."""
        device, self._device, self.program = self._device, None, None
        if device is not None:
            device.close()


def _nothing() -> None:
    """Collect nothing: the bench does not work yet."""


@contextmanager
def _own_garbage() -> Iterator[Callable[[], None]]:
    """Garbage is collected where what is given is called, every COLLECT_S, and nowhere else.

    h5py's objects take a lock while they are freed. Where another thread's collection frees them it
    may never get that lock, and the program stands still (h5py's issue 2019).
    """
    gc.collect()
    gc.freeze()  # what is there stays, and need not be looked at each time
    gc.disable()
    last = time.monotonic()

    def collect() -> None:
        nonlocal last
        if time.monotonic() > last + COLLECT_S:
            gc.collect()
            last = time.monotonic()

    try:
        yield collect
    finally:
        gc.enable()
        gc.unfreeze()
