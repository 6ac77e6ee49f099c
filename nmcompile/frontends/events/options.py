"""How recordings of events become steps of samples: what the user asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from nmcompile.errors import OptionError, OptionsError
from nmcompile.frontends.audio.options import AudioOptions

UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}
POLARITIES = ("both", "merge", "on", "off")
LONGEST_US = 10**13  # 115 days; a recording of more is damaged
MOST = 100_000  # pixels along a side, and bins
FORM = "Write a length of time such as 1ms or 500us, or a number of events such as 1000ev."


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """How recordings of events become (samples, steps, channels, height, width).

    bin         length of a step: "1ms", "500us", or "1000ev" for so many events
    bins        in place of `bin`: steps of a sample, whatever it lasts
    window      length of a sample, "100ms"; each recording is one sample if None
    crop        (x, y, width, height) of the pixels that are used
    downsample  pixels along x and along y that become one, after cropping
    polarity    "both": off and on are channels 0 and 1; "merge": one channel; "on", "off": only
                those
    binary      whether a payload says if there was an event, or how many there were
    flatten     one axis for channels, rows and columns, for models whose first layer takes that
    sensor      (width, height) in pixels, for files that do not say it
    stream      group of an HDF5 file or number of an AEDAT4 stream, where a file has several
    labels      table of files and their classes, for a folder of recordings
    audio       how sound files become frames, where they are what is read

    Raises NmcError for what is no such thing.
    """

    bin: str | None = None
    bins: int | None = None
    window: str | None = None
    crop: tuple[int, int, int, int] | None = None
    downsample: int = 1
    polarity: str = "both"
    binary: bool = False
    flatten: bool = False
    sensor: tuple[int, int] | None = None
    stream: str | None = None
    labels: Path | None = None
    audio: AudioOptions = field(default_factory=AudioOptions)

    def __post_init__(self) -> None:
        if self.bin is not None and self.bins is not None:
            raise OptionsError("--bins", "says the same as --bin in another way", "Leave out one.")
        if self.bin is not None:
            _length("--bin", self.bin, FORM, _events_in(self.bin))
        if self.bins is not None and not 1 <= self.bins <= MOST:
            raise OptionError("--bins", f"is {self.bins}, expected 1 to {MOST:,}")
        if self.window is not None:
            self._require_window(self.window)
        if self.downsample < 1:
            raise OptionError("--downsample", f"is {self.downsample}, expected 1 or more")
        if self.polarity not in POLARITIES:
            raise OptionError("--polarity", f"is '{self.polarity}'",
                              f"Take one of {', '.join(POLARITIES)}.")
        for name, size in (("--sensor", self.sensor), ("--crop", self.crop and self.crop[2:])):
            if size is not None and not all(1 <= n <= MOST for n in size):
                raise OptionError(name, f"has a side of {min(size)} pixels, expected 1 to {MOST:,}")

    def _require_window(self, window: str) -> None:
        length = _length("--window", window, "Write a length of time such as 100ms.")
        if self.bin_events is not None:
            raise OptionsError("--window", "is a length of time, --bin a number of events",
                               "Give --bin as a length of time, too.")
        if self.bin_us is not None and length % self.bin_us:
            raise OptionsError("--window", f"is {window}, which is no multiple of --bin {self.bin}")

    @property
    def bin_us(self) -> int | None:
        """Length of a step in us; None where it is no length of time."""
        if self.bin is None or _events_in(self.bin) is not None:
            return None
        return _length("--bin", self.bin, FORM)

    @property
    def bin_events(self) -> int | None:
        """Events of a step; None where it is a length of time."""
        return None if self.bin is None else _events_in(self.bin)

    @property
    def window_us(self) -> int | None:
        """Length of a sample in us; None where a recording is one."""
        return None if self.window is None else _length("--window", self.window, FORM)

    @property
    def channels(self) -> int:
        """Channels of a step."""
        return 2 if self.polarity == "both" else 1

    @property
    def asked(self) -> list[str]:
        """Options that differ from their defaults."""
        return [f"--{f.name}" for f in fields(self)
                if f.name != "audio" and getattr(self, f.name) != f.default]


def _events_in(text: str) -> int | None:
    found = re.fullmatch(r"([1-9][0-9]{0,11})ev", text, re.ASCII)
    return int(found[1]) if found else None


def _length(option: str, text: str, hint: str, known: int | None = None) -> int:
    """`known`, or the microseconds that `text` says."""
    if known is not None:
        return known
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(us|ms|s)", text, re.ASCII)
    length = float(found[1]) * UNITS_US[found[2]] if found else 0.0
    if not 1 <= length <= LONGEST_US or length != int(length):
        raise OptionError(option, f"is '{text}', which is no whole number of microseconds from 1",
                          hint)
    return int(length)
