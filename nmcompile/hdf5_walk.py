"""Reads all of an HDF5 file, in a process that may crash or hang: `nmcompile.hdf5` runs it.

    python -I -S hdf5_walk.py FILE own|foreign SECONDS FOLDER ...

FOLDER...  where packages are, as in sys.path

Prints as JSON the names at the top of the file and what is wrong with it, "" where nothing is.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

MAX_BYTES = 2 << 30  # of all arrays together
MAX_DEPTH = 24
MAX_ENTRIES = 100_000
ROOM = 1 << 30  # bytes of address space, besides twice what is read


class FaultError(Exception):
    """What makes a file one that is not read."""


class Walk:
    """A way through everything in a file.

    own  whether nmcompile wrote it: then it holds plain numbers and texts, each of them once
    """

    def __init__(self, own: bool, size: int) -> None:
        """Begin, in a file of `size` bytes."""
        self._own, self._size = own, size
        self._entries = self._bytes = 0

    def group(self, group: Any, depth: int = 0) -> None:
        """Read a group and what is in it."""
        import h5py

        self._attributes(group)
        for name in group:
            self._entries += 1
            self._require_sane(depth)
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise FaultError(f"'{name}' is a link to another place, which is not read")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                self._attributes(item)
                self._dataset(name, item, depth)
            else:
                self.group(item, depth + 1)

    def _attributes(self, item: Any) -> None:
        for name in item.attrs:
            if self._own and item.attrs.get_id(name).shape != ():
                raise FaultError(f"'{name}' of '{item.name}' is no single value")
            value = item.attrs[name]
            if self._own and isinstance(value, str):
                self._bytes += len(value)
                self._require_sane(0)

    def _dataset(self, name: str, dataset: Any, depth: int) -> None:
        if dataset.external or dataset.is_virtual:
            raise FaultError(f"'{name}' lies in another file, which is not read")
        claimed = int(dataset.size or 0) * int(dataset.dtype.itemsize)
        stored = dataset.id.get_storage_size()
        if claimed and not stored:
            raise FaultError(f"'{name}' claims {dataset.size:,} values and holds none")
        if self._own and (stored != claimed or dataset.dtype.kind not in "biuf"):
            raise FaultError(f"'{name}' claims more data than it has, or is of no numbers")
        self._bytes += claimed
        self._require_sane(depth)
        dataset[()]

    def _require_sane(self, depth: int) -> None:
        if self._bytes > MAX_BYTES or self._entries > MAX_ENTRIES or depth > MAX_DEPTH:
            raise FaultError(
                f"holds {self._bytes:,} bytes in {self._entries:,} entries, {depth} groups deep; "
                f"{MAX_BYTES >> 30} GiB, {MAX_ENTRIES:,} and {MAX_DEPTH} are read")
        if self._own and self._bytes > self._size:
            raise FaultError(f"claims {self._bytes:,} bytes or more, in a file of {self._size:,}")


def main() -> None:
    """Read the file that the command line names."""
    path, kind, seconds, *folders = sys.argv[1:]
    sys.path += folders
    import h5py

    own, size = kind == "own", os.stat(path).st_size
    _limit(resource.RLIMIT_CPU, int(seconds))
    _limit(resource.RLIMIT_AS, ROOM + 2 * (size if own else MAX_BYTES))
    _limit(resource.RLIMIT_CORE, 0)
    names, fault = [], ""
    with h5py.File(path, "r") as file:
        try:
            Walk(own, size).group(file)
            names = list(file)
        except FaultError as found:
            fault = str(found)
    print(json.dumps({"names": names, "fault": fault}))


def _limit(kind: int, most: int) -> None:
    """Take no more of a resource than `most`, or than was allowed before."""
    allowed = resource.getrlimit(kind)[1]
    if allowed != resource.RLIM_INFINITY:
        most = min(most, allowed)
    resource.setrlimit(kind, (most, allowed))


if __name__ == "__main__":
    main()
