"""Frames of features of sound, as librosa and torchaudio have them: log-mel, mel, MFCC.

librosa brings scikit-learn and 15 packages more, torchaudio a torch of its own; what is needed of
them are the mel scale and its triangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from nmcompile.errors import OptionError
from nmcompile.frontends.audio.options import LARGEST_FFT, AudioOptions, seconds
from nmcompile.ir.neurons.base import Array

FLOOR = 1e-10  # power of -100 dB, as librosa.power_to_db has it
LINEAR_HZ, BREAK_HZ, LOG_STEP = 200.0 / 3, 1000.0, np.log(6.4) / 27  # Slaney's Auditory Toolbox


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontend:
    """What makes frames of samples at one rate; sizes in samples."""

    options: AudioOptions
    rate: int

    def __post_init__(self) -> None:
        rate, at = self.rate, f"at {self.rate:,} Hz"
        if not 2 <= self.window <= LARGEST_FFT:
            raise OptionError(
                "--window", f"is {self.window:,} samples {at}, expected 2 to "
                f"{LARGEST_FFT:,}")
        if self.hop < 1:
            raise OptionError("--hop", f"is less than a sample {at}")
        if self.fft < self.window:
            raise OptionError("--fft", f"is {self.fft} samples, the window has {self.window} {at}")
        if self.band[1] > rate / 2:
            raise OptionError(
                "--band", f"reaches {self.band[1]:g} Hz, sound of {rate:,} samples a "
                f"second has frequencies up to {rate / 2:g} Hz")

    @cached_property
    def window(self) -> int:
        """Samples that a frame is made of."""
        return round(seconds("--window", self.options.window) * self.rate)

    @cached_property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(seconds("--hop", self.options.hop) * self.rate)

    @property
    def fft(self) -> int:
        """Samples of a frame, with the window in their middle."""
        return self.options.fft or self.window

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest frequency in Hz."""
        return self.options.band or (0.0, self.rate / 2)

    @property
    def half(self) -> int:
        """Samples that are padded on either side."""
        return 0 if self.options.pad == "none" else self.fft // 2

    def frames(self, length: int) -> int:
        """Frames of so many samples; below 1 where there are too few."""
        return 1 + (length + 2 * self.half - self.fft) // self.hop

    @cached_property
    def filters(self) -> Array:
        """(mels, fft // 2 + 1): triangles over the frequencies of a frame."""
        return mel_filters(self.rate, self.fft, self.options.mels, self.band,
                           self.options.mel_scale)

    @cached_property
    def _weights(self) -> Array:
        """(fft,): the window with zeros on either side."""
        left = (self.fft - self.window) // 2
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        return np.pad(hann, (left, self.fft - self.window - left))

    def of(self, frames: Array) -> Array:
        """(k, bands) float32 features of (k, fft) samples."""
        spectrum = fft.rfft(frames * self._weights, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) @ self.filters.T
        if self.options.features != "mel":
            power = 10 * np.log10(np.maximum(power, FLOOR))
        if self.options.features == "mfcc":
            power = fft.dct(power, type=2, norm="ortho", axis=1)[:, : self.options.coefficients]
        return power.astype(np.float32)


def mel_filters(
    rate: int, size: int, mels: int, band: tuple[float, float], scale: str
) -> Array:
    """(mels, size // 2 + 1) triangles that overlap by half, equally wide in mel.

    scale  "slaney": linear to 1 kHz, logarithmic above, triangles of equal area (librosa's
           default); "htk": 2595 log10(1 + f / 700), peaks of 1 (torchaudio's default)
    """
    mel, hz = (_slaney, _slaney_hz) if scale == "slaney" else (_htk, _htk_hz)
    low, high = mel(np.array(band, float))
    corners = hz(np.linspace(low, high, mels + 2))
    frequencies = fft.rfftfreq(size, 1 / rate)
    ramps, widths = corners[:, None] - frequencies, np.diff(corners)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    if scale == "slaney":
        triangles *= 2 / (corners[2:] - corners[:-2])[:, None]
    return triangles


def _slaney(hz: Array) -> Array:
    above = np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.minimum(hz, BREAK_HZ) / LINEAR_HZ + above


def _slaney_hz(mel: Array) -> Array:
    bend = BREAK_HZ / LINEAR_HZ
    return np.minimum(mel, bend) * LINEAR_HZ * np.exp(LOG_STEP * np.maximum(mel - bend, 0))


def _htk(hz: Array) -> Array:
    return 2595 * np.log10(1 + hz / 700)


def _htk_hz(mel: Array) -> Array:
    return 700 * (10 ** (mel / 2595) - 1)
