"""What an HDF5 file holds, looked over by another process before any of it is read in this one.

The HDF5 library crashes on some damaged files and never returns from others, in code that hears no
Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from nmcompile.errors import DamagedFileError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECONDS = 5  # of a processor that reading a file may take, and more where it is large
BYTES_PER_SECOND = 2_000_000
PATIENCE = 3  # times as long may pass
WALK = Path(__file__).with_name("hdf5_walk.py")


def is_hdf5(path: Path) -> bool:
    """True for a file that begins as HDF5 files do."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def names_in(path: Path) -> frozenset[str]:
    """The names at the top of an HDF5 file, whoever wrote it.

    Raises NmcError unless all of it can be read: a tree of sane size that lies in this file alone.
    """
    return _looked_over(path, "foreign")


def require_sound(path: Path) -> None:
    """Raise NmcError unless `path` can be read as one that nmcompile wrote.

    Beyond `names_in`, it holds numbers and texts alone, and no more of them than it has bytes.
    """
    _looked_over(path, "own")


def _looked_over(path: Path, kind: str) -> frozenset[str]:
    state = path.stat()
    return _walked(str(path), kind, state.st_size, (state.st_mtime_ns, state.st_ino))


@lru_cache(maxsize=8)
def _walked(path: str, kind: str, size: int, version: tuple[int, int]) -> frozenset[str]:
    seconds = int(SECONDS + size / BYTES_PER_SECOND)
    command = [sys.executable, "-I", "-S", str(WALK), path, kind, str(seconds),
               *filter(None, sys.path)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE * seconds, check=False,
                              env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    except subprocess.TimeoutExpired:
        raise DamagedFileError(path, "is a damaged HDF5 file: reading it does not end") from None
    if done.returncode == -signal.SIGXCPU:
        raise DamagedFileError(path, "is a damaged HDF5 file: reading it does not end")
    if done.returncode < 0:
        raise DamagedFileError(path, "is a damaged HDF5 file: reading it crashes the HDF5 library")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        raise DamagedFileError(path, f"is a damaged HDF5 file: reading it fails ({said[-1][:160]})")
    told = json.loads(done.stdout)
    if told["fault"]:
        raise DamagedFileError(path, told["fault"])
    return frozenset(told["names"])
