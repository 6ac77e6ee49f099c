"""Files as they are opened, written and taken into place: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from nmcompile.errors import FileReadError, FileWriteError, OptionsError, reading


def require_file(path: Path) -> Path:
    """`path`, if it is a regular file that may be read; a pipe or device would block."""
    try:
        mode = path.stat().st_mode
        if S_ISDIR(mode):
            raise FileReadError(str(path), "is a folder, expected a file")
        if not S_ISREG(mode):
            raise FileReadError(str(path), "is a pipe or a device, expected a file")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise FileReadError(str(path), why(error)) from error
    return path


def require_place(path: Path) -> Path:
    """`path`, if a file can be written there: new, or in the place of a regular one."""
    try:
        if not path.name or (path.exists() and not path.is_file()):
            raise FileWriteError(str(path), "is not the name of a file that can be written")
        if not path.parent.is_dir():
            raise FileWriteError(str(path), "cannot be written: there is no such folder")
    except (OSError, ValueError, RuntimeError) as error:
        raise FileWriteError(str(path), f"cannot be written: {why(error)}") from error
    return path


def require_apart(places: Mapping[str, Path | None]) -> None:
    """Refuse two options or things that name one file; `places` holds the file of each, if any."""
    taken: dict[Path, str] = {}
    for name, path in places.items():
        if path is None:
            continue
        try:
            other = taken.setdefault(path.resolve(), name)
        except (OSError, ValueError, RuntimeError) as error:
            raise FileWriteError(str(path), f"is no place for a file: {why(error)}") from error
        if other != name:
            raise OptionsError(name, f"'{path}' is the file of {other}", "Name another file.")


def why(error: Exception) -> str:
    """What the system says of a file that it refuses."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` by way of a temporary file beside it."""
    with replaced_file(path) as fresh:
        fresh.write_text(json_text(value), "utf-8")


def json_text(value: Any) -> str:
    """`value` as our JSON files have it."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    with reading(str(require_file(path)), "is no readable JSON"):
        return json.loads(path.read_text("utf-8"))


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if the block ends well."""
    fresh = require_place(path).with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        with writing(path):
            yield fresh
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make an NmcError about `path` of what the system refuses in the block."""
    try:
        yield
    except OSError as error:
        raise FileWriteError(str(path), f"cannot be written: {why(error)}") from error
