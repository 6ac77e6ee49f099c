"""Read the user's data: .npz with x and y, .npy, .pt tensors, judged by content."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array

MAX_BYTES = 16 << 30  # an array larger than this is refused before it is read
NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"


@dataclass(frozen=True, kw_only=True, eq=False)
class DataFile:
    """x (samples, ...) as stored, and labels y (samples,) or None."""

    x: Array
    y: Array | None


def read_data(path: Path) -> DataFile:
    """The data in `path`; nothing in the file is executed."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
        data = _parse(path, head)
    except OSError as error:
        raise NmcError(str(path), error.strerror or "cannot be read") from error
    except (ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise NmcError(str(path), f"is damaged: {error}") from error
    if data.x.ndim == 0:
        raise NmcError(str(path), "x is a single number, expected (samples, ...)")
    if data.y is not None and data.y.shape != (len(data.x),):
        raise NmcError(str(path), f"y has shape {data.y.shape}, x has {len(data.x)} samples")
    return data


def _parse(path: Path, head: bytes) -> DataFile:
    if head.startswith(NPY):
        with path.open("rb") as file:
            _require_size(file, path)
        return DataFile(x=np.load(path, allow_pickle=False), y=None)
    if not head.startswith(ZIP):
        raise NmcError(
            str(path),
            "is neither .npz, .npy nor a .pt tensor",
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
        raise NmcError(
            str(path),
            f"holds no array x, only: {listed}",
            "Save it with numpy.savez(path, x=data, y=labels).",
        )
    with np.load(path, allow_pickle=False) as arrays:
        return DataFile(x=arrays["x"], y=arrays["y"] if "y" in arrays else None)


def _require_size(file: IO[bytes], path: Path) -> None:
    """Raise unless the array that starts in `file` has a sane header and size."""
    version = np.lib.format.read_magic(file)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise NmcError(str(path), f"uses version {version} of the npy format, expected 1.0 or 2.0")
    shape, _, dtype = header(file)
    size = int(np.prod([float(n) for n in shape])) * dtype.itemsize
    if dtype.hasobject or size > MAX_BYTES:
        raise NmcError(
            str(path),
            f"holds {dtype} of shape {shape}, expected numbers of at most {MAX_BYTES >> 30} GiB",
        )


def _torch_tensors(path: Path) -> DataFile:
    import pickle

    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise NmcError(
            str(path), "holds more than tensors", "Save torch.save(tensor, path)."
        ) from error
    entries = loaded if isinstance(loaded, dict) else {"x": loaded}
    tensors = {k: v.numpy() for k, v in entries.items() if isinstance(v, torch.Tensor)}
    if "x" not in tensors:
        raise NmcError(str(path), "holds no tensor x", "Save torch.save(tensor, path).")
    return DataFile(x=tensors["x"], y=tensors.get("y"))
