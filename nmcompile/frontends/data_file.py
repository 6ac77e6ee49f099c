"""Read the user's data: .npz with x and y, .npy, .pt tensors, judged by content."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from nmcompile.errors import NmcError, reading
from nmcompile.files import require_file
from nmcompile.ir.neurons.base import Array

MAX_BYTES = 4 << 30  # of an array as 32-bit numbers; a larger one is refused before it is read
MOST = 2**31 - 1  # classes
NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"


@dataclass(frozen=True, kw_only=True, eq=False)
class DataFile:
    """x (samples, ...) as stored, and labels y (samples,) or None."""

    x: Array
    y: Array | None


def read_data(path: Path) -> DataFile:
    """The data in `path`; nothing in the file is executed."""
    with require_file(path).open("rb") as file:
        head = file.read(8)
    with reading(str(path)):
        data = _parse(path, head)
    if data.x.ndim == 0:
        raise NmcError(str(path), "x is a single number, expected (samples, ...)")
    return DataFile(x=data.x, y=None if data.y is None else _labels(path, data))


def _labels(path: Path, data: DataFile) -> Array:
    """The labels as class numbers (samples,) int64."""
    y = data.y
    assert y is not None
    if y.shape != (len(data.x),):
        raise NmcError(str(path), f"y has shape {y.shape}, x has {len(data.x)} samples")
    if y.dtype.kind not in "iubf" or np.any(y != np.floor(y)) or np.any(y < 0) or np.any(y > MOST):
        raise NmcError(
            str(path),
            f"y holds {y.dtype} values that are no class numbers",
            "Give one whole number from 0 for each sample.",
        )
    return y.astype(np.int64)


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
    if dtype.hasobject or prod(shape) * max(4, dtype.itemsize) > MAX_BYTES:
        raise NmcError(
            str(path),
            f"holds {dtype} of shape {shape}, expected numbers of at most {MAX_BYTES >> 30} GiB",
        )


def _torch_tensors(path: Path) -> DataFile:
    import torch

    from nmcompile.frontends.loading.archive import open_archive
    from nmcompile.frontends.loading.rebuild import Rebuilder
    from nmcompile.frontends.loading.unpickle import records

    archive = open_archive(path)
    loaded = Rebuilder(archive).value(records(archive.pickle, str(path)))
    entries = loaded if isinstance(loaded, dict) else {"x": loaded}
    tensors = {k: v.detach() for k, v in entries.items() if isinstance(v, torch.Tensor)}
    if "x" not in tensors:
        raise NmcError(str(path), "holds no tensor x", "Save torch.save(tensor, path).")
    plain = {k: v.float() if v.dtype is torch.bfloat16 else v for k, v in tensors.items()}
    return DataFile(x=plain["x"].numpy(), y=plain["y"].numpy() if "y" in plain else None)
