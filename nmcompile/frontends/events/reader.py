"""Recordings as they are decoded by another process, in pieces of bounded size."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.errors import DamagedFileError, NmcError, OptionsError, PackageError
from nmcompile.frontends.events import content
from nmcompile.frontends.events.content import require_format
from nmcompile.frontends.events.decoders import EVENT, File
from nmcompile.frontends.events.options import EventOptions
from nmcompile.ir.neurons.base import Array

SECONDS = 30  # that the next piece may take
START = ("import sys; sys.path[:] = {path!r}; "
         "from nmcompile.frontends.events.worker import main; main()")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # others take address space
BY_FAERY = (content.AEDAT4, content.DAT, content.ES, content.EVT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Events of one recording.

    where   its file, or its place in a data set
    size    (width, height) of the sensor in pixels
    pieces  (k,) EVENT, one after the other in the order of time; can be gone through once
    """

    where: str
    size: tuple[int, int]
    pieces: Iterator[Array]


class Decoder(AbstractContextManager["Decoder"]):
    """A process that decodes one file after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", START.format(path=sys.path)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **ONE_THREAD})
        self._late, self._since, self._done = False, float("inf"), threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        """End the process, in the middle of a file where it must be."""
        self._done.set()
        self._process.kill()
        self._process.communicate()

    def recording(self, path: Path, options: EventOptions) -> Recording:
        """The events of a file; its pieces have to be taken before the next file is begun."""
        kind = require_format(path)
        if kind in BY_FAERY and importlib.util.find_spec("faery") is None:
            raise PackageError(str(path), f"is of {kind}, which the package faery reads; it is not "
                               "installed", "pip install 'nmcompile[events]'.")
        file = File(path=str(path.absolute()), format=kind, sensor=options.sensor,
                    stream=options.stream)
        try:
            self._stdin.write(json.dumps(asdict(file)).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise self._ended(path) from None
        size = tuple(self._line(path)["size"])
        if options.sensor is not None and size != tuple(options.sensor):
            raise OptionsError(str(path), f"is of {size[0]} x {size[1]} pixels, --sensor says "
                               f"{options.sensor[0]} x {options.sensor[1]}", "Leave out --sensor.")
        return Recording(where=str(path), size=(size[0], size[1]), pieces=self._pieces(path))

    def _pieces(self, path: Path) -> Iterator[Array]:
        while (count := self._line(path)["events"]) > 0:
            yield np.frombuffer(self._read(path, count * EVENT.itemsize), EVENT)

    def _line(self, path: Path) -> Mapping[str, Any]:
        line = self._read(path, None)
        if not line:
            raise self._ended(path)
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise DamagedFileError(str(path), said["error"])
        return said

    def _read(self, path: Path, size: int | None) -> bytes:
        """A line, or `size` bytes."""
        stdout = self._process.stdout
        assert stdout is not None
        self._since = time.monotonic()
        got = stdout.readline() if size is None else stdout.read(size)
        self._since = float("inf")
        if size is not None and len(got) < size:
            raise self._ended(path)
        return got

    def _watch(self) -> None:
        """End a process that is waited for too long."""
        while not self._done.wait(SECONDS / 20):
            if time.monotonic() - self._since > SECONDS:
                self._late = True
                self._process.kill()

    def _ended(self, path: Path) -> NmcError:
        how = "does not end" if self._late else "ends the decoder"
        return DamagedFileError(str(path), f"is a damaged file: reading it {how}")

    @property
    def _stdin(self) -> Any:
        return self._process.stdin
