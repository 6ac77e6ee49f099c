"""Files that a client sends: to a folder of our own, by safe names, never more than announced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from nmcompile.hdf5 import names_in
from nmcompile.mapping import Program
from nmcompile.mapping.files import load_program, program_family
from nmcompile.registry import backend
from nmcompile.wire import MOST_PROGRAM, File, WireError

PROGRAM, CONFIG = "program.h5", "config"
PART = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,99}")  # of a name, between slashes
DEEPEST = 8


class Upload:
    """Files that arrive one after the other, message by message."""

    def __init__(self, folder: Path, files: tuple[File, ...], where: str) -> None:
        """Begin to write `files` to `folder`, which is empty.

        Raises WireError where their names are not those of a build or they are too large.
        """
        self._folder, self._where = folder, where
        self._left = [(folder / _safe(f.name, where), f.size) for f in files]
        self.size = sum(f.size for f in files)
        if self.size > MOST_PROGRAM:
            raise WireError(where, f"announces {self.size:,} bytes of files, at most "
                            f"{MOST_PROGRAM:,} are taken")
        _require_tree([f.name for f in files], where)
        (folder / CONFIG).mkdir()
        self._file: BinaryIO | None = None
        self._open_next()

    @property
    def is_whole(self) -> bool:
        """Whether all has arrived."""
        return self._file is None

    def take(self, message: object) -> None:
        """Take the next message. Raises WireError where it holds no bytes, or bytes too many."""
        if not isinstance(message, bytes) or not message:
            raise WireError(self._where, "sent a message where bytes were due")
        assert self._file is not None
        path, size = self._left[0]
        if len(message) > size:
            raise WireError(self._where, f"sent {len(message) - size:,} bytes more of "
                            f"'{path.name}' than it announced")
        self._file.write(message)
        self._left[0] = path, size - len(message)
        if size == len(message):
            self.close()
            self._left.pop(0)
            self._open_next()

    def close(self) -> None:
        """Close the file that is being written, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open_next(self) -> None:
        """Open the next file; those without bytes are there at once."""
        while self._left:
            path, size = self._left[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
            if size:
                return
            self.close()
            self._left.pop(0)


def _safe(name: str, where: str) -> str:
    """`name`, if it is a path that stays in its folder and says nothing to the system."""
    parts = name.split("/")
    if len(parts) > DEEPEST or not all(PART.fullmatch(part) for part in parts):
        raise WireError(where, f"names a file '{name}', which is not taken")
    return name


def _require_tree(names: list[str], where: str) -> None:
    """Refuse names of which one is a folder of another, and a first that is not the program."""
    folders = {name[:i] for name in names for i, c in enumerate(name) if c == "/"}
    if len(set(names)) != len(names) or folders & set(names):
        raise WireError(where, "names two files alike")
    if names[0] != PROGRAM or any(not name.startswith(f"{CONFIG}/") for name in names[1:]):
        raise WireError(where, f"sends other files than {PROGRAM} and those in {CONFIG}")


def uploaded_program(folder: Path) -> Program:
    """The program in `folder`; nothing is believed of it.

    Raises NmcError where it is none, or would bring the HDF5 library down.
    """
    path = folder / PROGRAM
    names_in(path)
    return load_program(path, backend(program_family(path)).neurons)
