"""Read the user's data, judged by content: arrays, images, sound, recordings of events."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from nmcompile.errors import (
    DataShapeError,
    DataValueError,
    FileKindError,
    FileSizeError,
    OptionsError,
    reading,
)
from nmcompile.frontends.audio.options import AudioOptions
from nmcompile.frontends.audio.read import holds_audio, read_audio
from nmcompile.frontends.events.binning import Frames
from nmcompile.frontends.events.datasets import is_dataset
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.read import holds_events, read_recordings
from nmcompile.frontends.images import holds_images, read_images
from nmcompile.ir.neurons.base import Array

MAX_BYTES = 4 << 30  # of an array as 32-bit numbers; a larger one is refused before it is read
HELD_BYTES = 1 << 30  # of binned events that are held at once
MOST = 2**31 - 1  # classes
RECORDINGS, SOUND = "recordings of events", "sound"
NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"


@dataclass(frozen=True, kw_only=True, eq=False)
class DataFile:
    """x (samples, ...) as stored or as binned events, and labels y (samples,) or None."""

    x: Array | Frames
    y: Array | None

    def held(self, most: int | None = None) -> DataFile:
        """The same in arrays; of binned events a random choice of `most` samples, or HELD_BYTES.

        The choice is always the same, in an order of its own: folders hold class after class.
        """
        if isinstance(self.x, np.ndarray):
            return self
        fitting = max(1, HELD_BYTES // (4 * prod(self.x.shape[1:])))
        order = np.random.default_rng(0).permutation(len(self.x))
        few = self._of(order[: min(fitting, most or fitting)])
        return DataFile(x=few.x[:], y=few.y)

    def first(self, samples: int) -> DataFile:
        """The first samples."""
        return self._of(np.arange(min(samples, len(self.x))))

    def _of(self, samples: Array) -> DataFile:
        x = self.x[samples] if isinstance(self.x, np.ndarray) else self.x.of(samples)
        return DataFile(x=x, y=None if self.y is None else self.y[samples])

    def digest(self) -> str:
        """SHA-256 of x."""
        if not isinstance(self.x, np.ndarray):
            return self.x.digest()
        x = np.ascontiguousarray(self.x)
        return hashlib.sha256(f"{x.dtype.str} {x.shape}".encode() + x.tobytes()).hexdigest()


def read_data(
    path: Path, options: EventOptions | AudioOptions | None = None,
    progress: Callable[[int], None] = lambda events: None,
) -> DataFile:
    """The data in `path`; nothing in a file is executed.

    path      a file; a folder of images, of sound or of recordings; or a data set,
              "tonic:NAME:FOLDER" or "FILE.py:NAME", whose code is
    options   how recordings of events, or sound files, become steps
    progress  told how many further events are read
    """
    path, options = Path(path), options or EventOptions()
    if isinstance(options, AudioOptions):
        options = EventOptions(audio=options)
    for holds, read in ((holds_images, _images), (holds_audio, _sound)):
        if not is_dataset(str(path)) and holds(path, options.labels):
            return read(path, options)
    if holds_events(path):
        _require_unasked(path, options.audio.asked, SOUND, _both(options))
        frames, y = read_recordings(path, options, progress)
        return DataFile(x=frames, y=y)
    _require_unasked(path, options.asked, RECORDINGS)
    _require_unasked(path, options.audio.asked, SOUND)
    with path.open("rb") as file:
        head = file.read(8)
    with reading(str(path)):
        x, y = _parse(path, head)
    if x.ndim == 0:
        raise DataShapeError(str(path), "x is a single number, expected (samples, ...)")
    return DataFile(x=x, y=None if y is None else class_numbers(str(path), len(x), y))


def _images(path: Path, options: EventOptions) -> DataFile:
    _require_unasked(path, options.asked, RECORDINGS, ("--labels",) if path.is_dir() else ())
    _require_unasked(path, options.audio.asked, SOUND)
    x, y = read_images(path, options.labels)
    return DataFile(x=x, y=y)


def _sound(path: Path, options: EventOptions) -> DataFile:
    known = (*_both(options), "--labels") if path.is_dir() else _both(options)
    _require_unasked(path, options.asked, RECORDINGS, known)
    x, y = read_audio(path, options.audio, options.labels)
    return DataFile(x=x, y=y)


def _both(options: EventOptions) -> tuple[str, ...]:
    """The option that means something for both, where it was given for both."""
    return ("--window",) if options.window in (None, options.audio.window) else ()


def _require_unasked(
    path: Path, asked: list[str], kind: str, known: tuple[str, ...] = ()
) -> None:
    """Refuse options that are for another kind of data, but for `known`."""
    for option in asked:
        if option not in known:
            raise OptionsError(option, f"is for {kind}, {path} is none", "Leave it out.")


def class_numbers(where: str, samples: int, y: Array) -> Array:
    """Labels as class numbers (samples,) int64. Raises NmcError for what is none."""
    if y.shape != (samples,):
        raise DataShapeError(where, f"y has shape {y.shape}, x has {samples} samples")
    if y.dtype.kind not in "iubf" or np.any(y != np.floor(y)) or np.any(y < 0) or np.any(y > MOST):
        raise DataValueError(
            where,
            f"y holds {y.dtype} values that are no class numbers",
            "Give one whole number from 0 for each sample.",
        )
    return y.astype(np.int64)


def _parse(path: Path, head: bytes) -> tuple[Array, Array | None]:
    """What is stored as x and y."""
    if head.startswith(NPY):
        with path.open("rb") as file:
            _require_size(file, path)
        return np.load(path, allow_pickle=False), None
    if not head.startswith(ZIP):
        raise FileKindError(
            str(path),
            "is neither .npz, .npy, a .pt tensor nor a known recording of events",
            "Save it with numpy.savez(path, x=data, y=labels).",
        )
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            return _torch_tensors(path)
        for name in ("x.npy", "y.npy"):
            if name in names:
                with archive.open(name) as member:
                    _require_size(member, path)
    if "x.npy" not in names:
        listed = ", ".join(name.removesuffix(".npy") for name in names[:5])
        raise FileKindError(
            str(path),
            f"holds no array x, only: {listed}",
            "Save it with numpy.savez(path, x=data, y=labels).",
        )
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"] if "y" in arrays else None


def _require_size(file: IO[bytes], path: Path) -> None:
    """Raise unless the array that starts in `file` has a sane header and size."""
    version = np.lib.format.read_magic(file)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise FileKindError(
            str(path), f"uses version {version} of the npy format, expected 1.0 or 2.0")
    shape, _, dtype = header(file)
    if dtype.hasobject or prod(shape) * max(4, dtype.itemsize) > MAX_BYTES:
        raise FileSizeError(
            str(path),
            f"holds {dtype} of shape {shape}, expected numbers of at most {MAX_BYTES >> 30} GiB",
            "Give fewer samples." if not dtype.hasobject else "Save numbers.",
        )


def _torch_tensors(path: Path) -> tuple[Array, Array | None]:
    import torch

    from nmcompile.frontends.loading.archive import open_archive
    from nmcompile.frontends.loading.rebuild import Rebuilder
    from nmcompile.frontends.loading.unpickle import records

    archive = open_archive(path)
    loaded = Rebuilder(archive).value(records(archive.pickle, str(path)))
    entries = loaded if isinstance(loaded, dict) else {"x": loaded}
    tensors = {k: v.detach() for k, v in entries.items() if isinstance(v, torch.Tensor)}
    if "x" not in tensors:
        raise FileKindError(str(path), "holds no tensor x", "Save torch.save(tensor, path).")
    plain = {k: v.float() if v.dtype is torch.bfloat16 else v for k, v in tensors.items()}
    return plain["x"].numpy(), plain["y"].numpy() if "y" in plain else None
