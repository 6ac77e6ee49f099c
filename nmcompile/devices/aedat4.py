"""AEDAT4, the event files of iniVation's DV software, as recordings of one population.

Events are read by `aedat` (neuromorphicsystems). An event of pixel (x, y) is a spike of neuron
y * width + x; where the population has twice as many neurons as the stream has pixels, those with
polarity on come behind all pixels. A sample lasts its steps times `step-us`, one behind the other.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmcompile.device import Recording, Wanted
from nmcompile.errors import (
    DamagedFileError,
    OptionError,
    PackageError,
    RecordedRunError,
    reading,
    unknown_name,
)
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array

SPIKES = "spikes"
LATEST_US = 10**18
SECONDS, BYTES_PER_SECOND = 60, 1_000_000  # that reading may take
DECODE = f"""
import sys
import aedat
import numpy as np
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({8 << 30}, {8 << 30}))
except ImportError:
    pass
decoder = aedat.Decoder(sys.argv[1])
(number, stream), = [x for x in decoder.id_to_stream().items() if x[1]["type"] == "events"]
packets = [p["events"] for p in decoder if p["stream_id"] == number]
none = np.zeros(0, [("t", "u8"), ("x", "u2"), ("y", "u2"), ("on", "?")])
names = ("t", "x", "y", "on")
arrays = {{n: np.concatenate([none[n], *(p[n] for p in packets)]) for n in names}}
np.savez(sys.argv[2], size=[stream["width"], stream["height"]], **arrays)
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """The events of a file: step since the start and neuron, (k,) int64 each."""

    path: Path
    population: Population
    step: Array
    neuron: Array

    @property
    def readable(self) -> Wanted:
        """The spikes of the one population."""
        return {self.population.name: (SPIKES,)}

    def require(self, first: int, samples: int, steps: int) -> None:
        """Raise NmcError where events end ahead of the last of some samples."""
        last = int(self.step.max()) // steps
        if first + samples - 1 > last:
            raise RecordedRunError(
                str(self.path), f"ends within sample {last:,}, samples {first:,} to "
                f"{first + samples:,} of {steps:,} steps were asked for",
                "Give --samples, or another step-us.")

    def recording(self, first: int, samples: int, steps: int, wanted: Wanted) -> Recording:
        """Some samples; behind the last event nothing is sent, which is an error from there on."""
        self.require(first, samples, steps)
        sample = self.step // steps - first
        mine = (sample >= 0) & (sample < samples)
        spikes = np.zeros((samples, steps, self.population.size), np.int32)
        np.add.at(spikes, (sample[mine], self.step[mine] % steps, self.neuron[mine]), 1)
        return Recording(variables={self.population.name: {SPIKES: spikes.reshape(
            samples, steps, *self.population.shape)}} if wanted else {})


def read_aedat4(path: Path, network: Network, options: Mapping[str, str]) -> Stream:
    """The polarity events of `path`.

    options  population: whose spikes they are (default: of the first output); step-us: how long a
             step is; start-us: stamp of the first step (default: that of the first event)
    """
    name = options.get("population", network.outputs[0].population)
    names = [p.name for p in network.populations]
    if name not in names:
        raise unknown_name("--device-option population", name, names)
    step_us = _number(options, "step-us", None)
    stamps, neuron = _events(path, network.population(name))
    start = _number(options, "start-us", int(stamps.min()))
    step = (stamps.astype(np.int64) - start) // step_us
    if step.min() < 0:
        raise RecordedRunError(
            str(path), f"begins at {int(stamps.min())} us, before start-us, {start}",
            f"Give --device-option start-us={int(stamps.min())}.")
    return Stream(path=path, population=network.population(name), step=step, neuron=neuron)


def _events(path: Path, population: Population) -> tuple[Array, Array]:
    """Stamps in us and neurons of all events of the first stream that has some."""
    if importlib.util.find_spec("aedat") is None:
        raise PackageError(str(path), "is read by the package aedat, which is not installed",
                           "Type pip install '.[aedat4]' in nmcompile's folder.")
    with tempfile.TemporaryDirectory(prefix="nmcompile-") as folder:
        found = Path(folder) / "events.npz"
        _decode(path, found)
        with (reading(str(path), "is no readable AEDAT4 file"), found.open("rb") as raw,
              np.load(raw, allow_pickle=False) as file):
            arrays = {name: file[name] for name in file.files}
    if len(arrays["t"]) == 0:
        raise RecordedRunError(str(path), "has no event", "Record it anew.")
    return _neurons(path, population, arrays)


def _decode(path: Path, found: Path) -> None:
    """Read `path` in another process: the decoder may panic on a damaged file, or take for ever."""
    command = [sys.executable, "-I", "-c", DECODE, str(path), str(found)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=SECONDS + path.stat().st_size / BYTES_PER_SECOND)
    except subprocess.TimeoutExpired:
        raise DamagedFileError(
            str(path), "is a damaged AEDAT4 file: reading it does not end") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DamagedFileError(str(path), "is no readable AEDAT4 file with one stream of events "
                               f"({(lines or ['it ends the decoder'])[-1][:160]})")


def _neurons(
    path: Path, population: Population, events: dict[str, Array]
) -> tuple[Array, Array]:
    width, height = (int(n) for n in events["size"])
    pixels = width * height
    if population.size not in (pixels, 2 * pixels):
        raise RecordedRunError(str(path), f"is of {width} x {height} pixels, {population.name} has "
                               f"{population.size:,} neurons; as many, or twice that, are expected",
                               "Name the population: --device-option population=NAME.")
    x, y = events["x"].astype(np.int64), events["y"].astype(np.int64)
    if np.any(x >= width) or np.any(y >= height) or np.any(events["t"] > LATEST_US):
        raise RecordedRunError(
            str(path), f"has events outside of its {width} x {height} pixels, or of "
            "impossible times")
    polarity = events["on"].astype(np.int64) if population.size != pixels else 0
    return events["t"], polarity * pixels + y * width + x


def _number(options: Mapping[str, str], name: str, default: int | None) -> int:
    text = options.get(name, "" if default is None else str(default))
    least = 1 if name == "step-us" else 0
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= 10**18:
        raise OptionError(f"--device-option {name}", f"is '{text}', expected a whole number of "
                          "microseconds" + (" from 1" if least else ""),
                          "A step's length says which events are of one step."
                          if name == "step-us" else "")
    return int(text)
