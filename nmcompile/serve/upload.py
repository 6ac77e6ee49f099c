"""A program that a client sends: to a file of our own, never more than was announced."""

from __future__ import annotations

from pathlib import Path

from nmcompile.errors import WireError
from nmcompile.mapping import Program
from nmcompile.mapping.files import load_program, program_family
from nmcompile.registry import backend


class Upload:
    """A file that arrives message by message."""

    def __init__(self, path: Path, size: int, where: str) -> None:
        """Begin to write `size` bytes to `path`, where nothing is."""
        self.size, self._left, self._where = size, size, where
        self._file = path.open("xb")

    @property
    def is_whole(self) -> bool:
        """Whether all has arrived."""
        return not self._left

    def take(self, message: object) -> None:
        """Take the next message. Raises WireError where it holds no bytes, or bytes too many."""
        if not isinstance(message, bytes) or not message:
            raise WireError(self._where, "sent a message where bytes were due")
        if len(message) > self._left:
            raise WireError(self._where, f"sent {len(message) - self._left:,} bytes more of the "
                            "program than it announced")
        self._file.write(message)
        self._left -= len(message)

    def close(self) -> None:
        """Close the file, whole or not."""
        self._file.close()


def uploaded_program(path: Path) -> Program:
    """The program in `path`; nothing is believed of it.

    Raises NmcError where it is none, or would bring the HDF5 library down.
    """
    return load_program(path, backend(program_family(path)).neurons)
