"""Sound files, read in blocks by soundfile and brought to one rate by soxr."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.errors import DamagedFileError, DataValueError, FileKindError, reading
from nmcompile.files import require_file
from nmcompile.frontends.audio.options import MIX
from nmcompile.ir.neurons.base import Array

BLOCK = 1 << 16  # samples of a channel that are read at once
FORMATS = ("WAV", "WAVEX", "RF64", "FLAC")
UNSAID = 0xFFFFFFFF  # bytes of data in the head of a WAV file that was written to a pipe
UNREADABLE = "is no readable sound"


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A sound file: samples of each channel, their rate in Hz, and the channel that is used."""

    path: Path
    samples: int
    rate: int
    channels: int
    channel: str | None

    def length(self, rate: int) -> int:
        """Samples at `rate`."""
        return -(-self.samples * rate // self.rate)

    def blocks(self, rate: int) -> Iterator[Array]:
        """(k,) float32 of one channel at `rate`, one after the other.

        Raises NmcError for a file that holds fewer samples than its head says, or none at all.
        """
        whole = self._read()
        return whole if rate == self.rate else _resampled(whole, self.rate, rate)

    def _read(self) -> Iterator[Array]:
        import soundfile

        passed = 0
        with reading(str(self.path), UNREADABLE), soundfile.SoundFile(self.path) as file:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                passed += len(block)
                if not np.isfinite(block).all():
                    raise DataValueError(str(self.path), "holds samples that are not finite")
                yield self._one(block)
        if passed != self.samples:
            raise DamagedFileError(
                str(self.path), f"is cut off: {passed:,} of {self.samples:,} samples "
                "are there")

    def _one(self, block: Array) -> Array:
        if self.channel == MIX:
            return block.mean(axis=1)
        return block[:, int(self.channel or 0)]


def opened(path: Path, channel: str | None) -> Sound:
    """What the head of a sound file says; NmcError for one that cannot be used."""
    import soundfile

    with (reading(str(require_file(path)), UNREADABLE), soundfile.SoundFile(path) as file):
        found = Sound(path=path, samples=int(file.frames), rate=int(file.samplerate),
                      channels=int(file.channels), channel=channel)
        kind, told = file.format, file.extra_info
    if kind not in FORMATS:
        raise FileKindError(str(path), f"is of the kind {kind}", "WAV and FLAC are read.")
    cut = re.search(r"^data : ([0-9]+) \(should be ([0-9]+)\)", told, re.MULTILINE)
    if cut and int(cut[1]) not in (0, UNSAID):
        raise DamagedFileError(
            str(path), f"is cut off: its head says {int(cut[1]):,} bytes of samples, "
            f"there are {int(cut[2]):,}")
    if found.samples < 1:
        raise DataValueError(str(path), "holds no samples")
    if channel is None and found.channels > 1:
        raise DataValueError(
            str(path), f"has {found.channels} channels",
            f"Add --channel {MIX}, or --channel 0 for the first.")
    if channel not in (None, MIX) and int(str(channel)) >= found.channels:
        raise DataValueError(str(path), f"has no channel {channel}, only {found.channels}")
    return found


def _resampled(blocks: Iterator[Array], given: int, wanted: int) -> Iterator[Array]:
    """The blocks at another rate; they are those of soxr.resample of all of them at once."""
    import soxr

    stream: Any = soxr.ResampleStream(given, wanted, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
