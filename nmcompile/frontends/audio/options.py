"""How audio becomes frames of features: what the user asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from fractions import Fraction

from nmcompile.errors import OptionError, OptionsError

FEATURES = ("logmel", "mel", "mfcc")
SCALES = ("slaney", "htk")
PADS = ("none", "zero", "reflect")
MIX = "mix"
LONGEST_S = 86_400.0  # of a recording that is one sample
RATES_HZ = (100, 1_000_000)
MOST = 1024  # mel bands
LARGEST_FFT = 1 << 16  # samples
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
NAMED = {"rate": "--audio-rate"}  # options that are not called as their fields are


@dataclass(frozen=True, kw_only=True)
class AudioOptions:
    """How audio files become (samples, frames, bands).

    rate          of the samples that features are made of, "16kHz"; None: the files' own
    features      "logmel": 10 log10 of the power in mel bands, at least -100 dB; "mel": that power;
                  "mfcc": the orthonormal cosine transform of logmel
    mels          mel bands
    coefficients  of "mfcc", from the 0th
    window        what a frame is made of, to the nearest sample; Hann, periodic
    hop           from one frame to the next, to the nearest sample
    fft           samples of a frame, the window in their middle; None: as many as of the window
    band          lowest and highest frequency of the mel bands in Hz; None: 0 and half the rate
    mel_scale     "slaney": its scale, and bands of equal area; "htk": its scale, peaks of 1
    pad           ahead of and behind a recording, by half a frame each: "none", "zero", "reflect"
    duration      to which recordings are cut, or end with silence; None: that of the longest
    channel       of files that have several: its number from 0, or "mix" for the mean
    normalise     "MEAN,STD", or an .npz with the arrays mean and std: (value - mean) / std

    Raises NmcError for what is no such thing.
    """

    rate: str | None = None
    features: str = "logmel"
    mels: int = 40
    coefficients: int = 13
    window: str = "25ms"
    hop: str = "10ms"
    fft: int | None = None
    band: tuple[int, int] | None = None
    mel_scale: str = "slaney"
    pad: str = "none"
    duration: str | None = None
    channel: str | None = None
    normalise: str | None = None

    def __post_init__(self) -> None:
        for option, value, known in (("--features", self.features, FEATURES),
                                     ("--mel-scale", self.mel_scale, SCALES),
                                     ("--pad", self.pad, PADS)):
            if value not in known:
                raise OptionError(option, f"is '{value}'", f"Take one of {', '.join(known)}.")
        self._require_counts()
        if self.band is not None and not 0 <= self.band[0] < self.band[1]:
            raise OptionError(
                "--band", f"is {self.band[0]} to {self.band[1]} Hz",
                "Give the lower frequency first.")
        if self.channel not in (None, MIX) and not re.fullmatch("[0-9]{1,3}", str(self.channel)):
            raise OptionError(
                "--channel", f"is '{self.channel}'",
                f"Give the number of a channel from 0, or {MIX}.")
        for option, text in (("--window", self.window), ("--hop", self.hop),
                             ("--duration", self.duration)):
            if text is not None:
                seconds(option, text)
        if self.rate is not None:
            hertz(self.rate)

    def _require_counts(self) -> None:
        if not 1 <= self.mels <= MOST:
            raise OptionError("--mels", f"is {self.mels}, expected 1 to {MOST:,}")
        if self.features == "mfcc" and not 1 <= self.coefficients <= self.mels:
            raise OptionError(
                "--coefficients", f"is {self.coefficients}, expected 1 to {self.mels}, "
                "the mel bands")
        if self.features != "mfcc" and self.coefficients != AudioOptions.coefficients:
            raise OptionsError(
                "--coefficients", f"is of mfcc, --features is {self.features}",
                "Leave it out.")
        if self.fft is not None and not 2 <= self.fft <= LARGEST_FFT:
            raise OptionError("--fft", f"is {self.fft}, expected 2 to {LARGEST_FFT:,} samples")

    @property
    def asked(self) -> list[str]:
        """Options that differ from their defaults."""
        return [NAMED.get(f.name, f"--{f.name.replace('_', '-')}") for f in fields(self)
                if getattr(self, f.name) != f.default]

    @property
    def bands(self) -> int:
        """Values of a frame."""
        return self.coefficients if self.features == "mfcc" else self.mels


def seconds(option: str, text: str) -> float:
    """The length of time that `text` says."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(us|ms|s)", text, re.ASCII)
    length = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not 0 < length <= LONGEST_S:
        raise OptionError(
            option, f"is '{text}', which is no length of time above 0 and up to a day",
            "Write it as 25ms or 1s.")
    return length


def hertz(text: str) -> int:
    """The rate that `text` says: "16kHz", "44.1kHz", "8000Hz"."""
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(k?)Hz", text, re.ASCII | re.IGNORECASE)
    rate = Fraction(found[1]) * (1000 if found[2] else 1) if found else 0
    if not RATES_HZ[0] <= rate <= RATES_HZ[1] or rate != int(rate):
        raise OptionError(
            "--audio-rate", f"is '{text}', which is no whole number of Hz from "
            f"{RATES_HZ[0]} to {RATES_HZ[1]:,}", "Write it as 16kHz or 16000Hz.")
    return int(rate)
