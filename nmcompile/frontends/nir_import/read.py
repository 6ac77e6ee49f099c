"""Read a NIR file, after looking at the sizes and links of everything in it."""

from __future__ import annotations

from pathlib import Path

import h5py
import nir

from nmcompile.errors import NmcError

MAX_BYTES = 4 << 30  # of all arrays together
MAX_DEPTH = 24
MAX_ENTRIES = 100_000
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, AssertionError,
           IndexError, UnicodeDecodeError, RecursionError)


def holds_graph(path: Path) -> bool:
    """True where the file has the "node" group of a NIR graph, or is too damaged to tell."""
    try:
        with h5py.File(path, "r") as file:
            return "node" in file
    except OSError:
        return True


def read_graph(path: Path) -> nir.NIRGraph:
    """The graph in `path`; NmcError where it is damaged, too large or points outside itself."""
    try:
        with h5py.File(path, "r") as file:
            _require_plain(path, file)
        graph = nir.read(path)
    except NmcError:
        raise
    except DAMAGED as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise NmcError(str(path), f"is no readable NIR graph ({reason})") from error
    if not isinstance(graph, nir.NIRGraph):
        raise NmcError(str(path), f"holds a single {type(graph).__name__}, expected a graph")
    return graph


def _require_plain(path: Path, file: h5py.File) -> None:
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
            raise NmcError(str(path), f"holds {size:,} bytes in {entries:,} entries, {depth} "
                           f"groups deep; {MAX_BYTES >> 30} GiB, {MAX_ENTRIES:,} and {MAX_DEPTH} "
                           "are read")


def _size(path: Path, name: str, dataset: h5py.Dataset) -> int:
    if dataset.external or dataset.is_virtual:
        raise NmcError(str(path), f"'{name}' lies in another file, which is not read")
    return int(dataset.size or 0) * int(dataset.dtype.itemsize)
