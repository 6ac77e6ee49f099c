"""What an HDF5 file holds, looked over before any of it is read."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from nmcompile.errors import NmcError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_BYTES = 2 << 30  # of all arrays together
MAX_DEPTH = 24
MAX_ENTRIES = 100_000
SECONDS = 20  # that a walk through a file may take, and more where it is large
BYTES_PER_SECOND = 10_000_000
# Reads everything in a file, as far as it is read at all; what it finds wrong is said by others.
WALK = f"""
import sys
import h5py
left = {MAX_ENTRIES}
def walk(group, depth):
    global left
    for name in group:
        left -= 1
        if left < 0 or depth > {MAX_DEPTH}:
            return
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            item = group[name]
            if not isinstance(item, h5py.Dataset):
                walk(item, depth + 1)
            elif (item.size or 0) * item.dtype.itemsize <= {MAX_BYTES} and not (
                item.external or item.is_virtual
            ):
                item[()]
sys.stdout.reconfigure(errors="replace")
with h5py.File(sys.argv[1], "r") as file:
    print(*file, sep="\\n")
    walk(file, 0)
"""


def is_hdf5(path: Path) -> bool:
    """True for a file that begins as HDF5 files do."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def names_in(path: Path) -> frozenset[str] | None:
    """The names at the top of an HDF5 file, None where they cannot be read.

    Raises NmcError where reading it brings the HDF5 library down, as some damaged files do, or
    never ends: it is first read by another process.
    """
    state = path.stat()
    return _walked(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _walked(path: str, size: int, changed: int) -> frozenset[str] | None:
    command = [sys.executable, "-I", "-c", WALK, path]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=SECONDS + size / BYTES_PER_SECOND, check=False)
    except subprocess.TimeoutExpired:
        raise NmcError(path, "is a damaged HDF5 file: reading it does not end") from None
    if done.returncode < 0:
        raise NmcError(path, "is a damaged HDF5 file: reading it crashes the HDF5 library")
    names = done.stdout.decode("utf-8", "replace").splitlines()
    return frozenset(names) or None


def require_plain(path: Path, file: Any) -> None:
    """Raise unless the open h5py `file` is a tree of sane size that lies in this file alone."""
    import h5py

    waiting, entries, size = [(file, 0)], 0, 0
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            entries += 1
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise NmcError(str(path), f"'{name}' is a link to another place, which is not read")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                size += _size(path, name, item)
            else:
                waiting.append((item, depth + 1))
        if size > MAX_BYTES or entries > MAX_ENTRIES or depth > MAX_DEPTH:
            raise NmcError(
                str(path),
                f"holds {size:,} bytes in {entries:,} entries, {depth} groups deep; "
                f"{MAX_BYTES >> 30} GiB, {MAX_ENTRIES:,} and {MAX_DEPTH} are read",
            )


def _size(path: Path, name: str, dataset: Any) -> int:
    if dataset.external or dataset.is_virtual:
        raise NmcError(str(path), f"'{name}' lies in another file, which is not read")
    if dataset.size and not dataset.id.get_storage_size() and dataset.dtype.itemsize:
        raise NmcError(str(path), f"'{name}' claims {dataset.size:,} values and holds none")
    return int(dataset.size or 0) * int(dataset.dtype.itemsize)
