"""The device on its bench: the thread that owns it does what others ask for, one at a time.

Devices know one thread, the first of the program: there a Ctrl-C arrives, and vendors' libraries
that keep to a thread find themselves on the same one always.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from nmcompile.device import Device, Place, Ran, Recording, Wanted
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.serve.upload import CONFIG, uploaded_program


class Bench:
    """One place for a device; a new one for each client.

    program   what was loaded last; only the thread of the device changes it
    readable  what the device can tell of it
    """

    def __init__(self, make: Callable[[], Device], place: Place) -> None:
        self._make, self._place = make, place
        self._device: Device | None = None
        self._asked: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._ended = False
        self.program: Program | None = None
        self.readable: Wanted = {}

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """What `call`, a method of this bench, gives once its turn has come; any thread may ask.

        The answer is cancelled where `work` has ended.
        """
        answer: Future[Any] = Future()
        self._asked.put((answer, lambda: call(*arguments)))
        if self._ended:
            self._cancel_all()
        return answer

    def work(self) -> None:
        """Do what is asked for until a Ctrl-C; then the device is closed."""
        try:
            while True:
                answer, call = self._asked.get()
                try:
                    answer.set_result(call())
                except Exception as error:  # of the device: the client is told, the next one served
                    answer.set_exception(error)
                except BaseException:
                    answer.cancel()
                    raise
        finally:
            self._ended = True
            self._cancel_all()
            self.close()

    def _cancel_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._asked.get_nowait()[0].cancel()

    def open(self) -> str:
        """Open a device; its name."""
        device = self._make()
        self._device = device
        device.open(self._place)
        return device.name

    def load(self, folder: Path) -> Wanted:
        """Put the program in `folder` on the device; what it can tell of it."""
        assert self._device is not None
        self.program = None
        program = uploaded_program(folder)
        self._device.load(program, folder / CONFIG)
        self.readable, self.program = self._device.readable(), program
        return self.readable

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples on the device."""
        assert self._device is not None
        return self._device.run(inputs, wanted, ran)

    def close(self) -> None:
        """Close the device, if there is one."""
        device, self._device, self.program = self._device, None, None
        if device is not None:
            device.close()
