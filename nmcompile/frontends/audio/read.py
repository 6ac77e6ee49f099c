"""Read audio: a file, or a folder of them, as frames of features."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nmcompile.errors import (
    DataSetError,
    DataShapeError,
    DataSizeError,
    DataValueError,
    FileSizeError,
    PackageError,
    reading,
)
from nmcompile.files import require_file
from nmcompile.frontends.audio.features import Frontend
from nmcompile.frontends.audio.options import AudioOptions, hertz, seconds
from nmcompile.frontends.audio.sound import BLOCK, Sound, opened
from nmcompile.frontends.events.folder import numbered, recordings_in
from nmcompile.ir.neurons.base import Array

SIGNATURES = re.compile(rb"fLaC|(RIFF|RIFX|RF64)....WAVE", re.DOTALL)
PACKAGES = ("soundfile", "soxr")
MOST_APART = 256  # between a file's rate and the one that it is brought to
MAX_BYTES = 4 << 30  # of all features as 32-bit numbers
LARGEST_TABLE = 1 << 24  # bytes of means and deviations


def is_audio(path: Path) -> bool:
    """True for a file that begins as WAV and FLAC files do."""
    with path.open("rb") as file:
        return SIGNATURES.match(file.read(12)) is not None


def holds_audio(path: Path, table: Path | None) -> bool:
    """Whether `path` is a sound file, or a folder whose first file is one."""
    files = recordings_in(path, table)[0][:1] if path.is_dir() else [path]
    return bool(files) and is_audio(require_file(files[0]))


def read_audio(
    path: Path, options: AudioOptions, table: Path | None
) -> tuple[Array, Array | None]:
    """(samples, frames, bands) float32, and the class of each, if it is known.

    path   a file, or a folder of them as `folder.recordings_in` takes it, with `table`

    Files are read in blocks; recordings that are shorter than the longest, or than
    `options.duration`, end with silence. Raises NmcError where rates differ and none is asked for.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise PackageError(
                str(path), f"is read by the package {package}, which is not installed",
                "pip install 'nmcompile[audio]'.")
    files, names = recordings_in(path, table) if path.is_dir() else ([path], None)
    sounds = [opened(file, options.channel) for file in files]
    frontend = Frontend(options=options, rate=_rate(sounds, options))
    length = _length(sounds, frontend)
    made = _room(path, len(sounds), frontend, length)
    for number, sound in enumerate(sounds):
        at = 0
        for frames in _framed(_padded(sound, frontend, length), frontend):
            made[number, at : at + len(frames)] = frontend.of(frames)
            at += len(frames)
    if options.normalise is not None:
        mean, deviation = _statistics(options.normalise, options.bands)
        made -= mean
        made /= deviation
    return made, None if names is None else numbered(names)


def _rate(sounds: list[Sound], options: AudioOptions) -> int:
    """Hz at which features are computed."""
    if options.rate is not None:
        wanted = hertz(options.rate)
        for sound in sounds:
            if not wanted <= MOST_APART * sound.rate <= MOST_APART**2 * wanted:
                raise DataSetError(
                    str(sound.path), f"has {sound.rate:,} samples a second, which are too far from "
                    f"the {wanted:,} of --audio-rate", "Leave it out, or look at the file.")
        return wanted
    for sound in sounds:
        if sound.rate != sounds[0].rate:
            raise DataSetError(
                str(sound.path), f"has {sound.rate:,} samples a second, those before it "
                f"{sounds[0].rate:,}", f"Give --audio-rate {sounds[0].rate}Hz, say.")
    return sounds[0].rate


def _length(sounds: list[Sound], frontend: Frontend) -> int:
    """Samples of each recording, at the rate of the features."""
    duration = frontend.options.duration
    if duration is not None:
        return round(seconds("--duration", duration) * frontend.rate)
    return max(sound.length(frontend.rate) for sound in sounds)


def _room(path: Path, count: int, frontend: Frontend, length: int) -> Array:
    frames, bands = frontend.frames(length), frontend.options.bands
    least = frontend.half + 1 if frontend.options.pad == "reflect" else 1
    if frames < 1 or length < least:
        raise DataShapeError(
            str(path), f"lasts {length:,} samples at {frontend.rate:,} Hz, a frame "
            f"needs {max(least, frontend.fft - 2 * frontend.half):,}",
            "Take a shorter --window, or add --duration.")
    if 4 * count * frames * bands > MAX_BYTES:
        raise DataSizeError(
            str(path), f"makes {count:,} x {frames:,} frames of {bands} values, "
            f"{4 * count * frames * bands / 2**30:,.1f} GiB",
            "Cut recordings with --duration, or take a longer --hop.")
    return np.empty((count, frames, bands), np.float32)


def _padded(sound: Sound, frontend: Frontend, length: int) -> Iterator[Array]:
    """Blocks of `length` samples of a recording, and what is padded on either side."""
    half = frontend.half
    if frontend.options.pad != "reflect":
        yield np.zeros(half, np.float32)
        yield from _fitted(sound.blocks(frontend.rate), length)
        yield np.zeros(half, np.float32)
        return
    begin: Array = np.zeros(0, np.float32)
    end, begun = begin, False
    for block in _fitted(sound.blocks(frontend.rate), length):
        if not begun:
            begin = np.concatenate([begin, block])
            begun = len(begin) > half
            if begun:
                yield begin[half:0:-1]
        end = np.concatenate([end, block])[-half - 1 :]
        yield block
    yield end[-2 : -half - 2 : -1]


def _fitted(blocks: Iterator[Array], length: int) -> Iterator[Array]:
    """The blocks cut to `length` samples, or with silence behind."""
    passed = 0
    for block in blocks:
        yield block[: max(0, length - passed)]
        passed += len(block)
    for at in range(passed, length, BLOCK):
        yield np.zeros(min(BLOCK, length - at), np.float32)


def _framed(blocks: Iterator[Array], frontend: Frontend) -> Iterator[Array]:
    """(k, fft) frames of the blocks, each beginning `hop` samples behind the one before it."""
    size, hop = frontend.fft, frontend.hop
    waiting: Array = np.zeros(0, np.float32)
    skipped = 0  # samples between frames that are still to come
    for block in blocks:
        waiting = np.concatenate([waiting, block[skipped:]])
        skipped = max(0, skipped - len(block))
        if len(waiting) >= size:
            frames = np.lib.stride_tricks.sliding_window_view(waiting, size)[::hop]
            most = max(1, BLOCK * 16 // size)
            for first in range(0, len(frames), most):
                yield frames[first : first + most]
            used = len(frames) * hop
            skipped = max(0, used - len(waiting))
            waiting = waiting[used:]


def _statistics(text: str, bands: int) -> tuple[Array, Array]:
    """Mean and standard deviation, one or (bands,), as "MEAN,STD" or an .npz file says them."""
    pair = re.fullmatch(r"\s*([-+0-9.eE]+)\s*,\s*([-+0-9.eE]+)\s*", text)
    if pair:
        with reading("--normalise", f"is '{text}', which is no MEAN,STD"):
            mean, deviation = np.array(float(pair[1])), np.array(float(pair[2]))
    else:
        mean, deviation = _table(Path(text))
    for value in (mean, deviation):
        if value.dtype.kind not in "fiu" or value.shape not in ((), (bands,)):
            raise DataShapeError(
                "--normalise", f"{text} holds {value.dtype} of shape {value.shape}, "
                f"expected one number or {bands}")
    if not np.isfinite(mean).all() or not np.isfinite(deviation).all() or np.any(deviation <= 0):
        raise DataValueError(
            "--normalise", f"{text} holds values that are not finite, or a deviation "
            "that is not above 0")
    return mean.astype(np.float32), deviation.astype(np.float32)


def _table(path: Path) -> tuple[Array, Array]:
    if require_file(path).stat().st_size > LARGEST_TABLE:
        raise FileSizeError(str(path), f"is larger than {LARGEST_TABLE >> 20} MiB")
    with reading(str(path), "is no .npz with the arrays mean and std"), np.load(
            path, allow_pickle=False) as arrays:
        return np.asarray(arrays["mean"]), np.asarray(arrays["std"])
