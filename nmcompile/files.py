"""Files as they are opened, written and taken into place: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nmcompile.errors import NmcError, reading


def require_file(path: Path) -> Path:
    """`path`, if it is a regular file that may be read; a pipe or device would block."""
    if path.is_dir():
        raise NmcError(str(path), "is a folder, expected a file")
    if path.exists() and not path.is_file():
        raise NmcError(str(path), "is a pipe or a device, expected a file")
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise NmcError(str(path), getattr(error, "strerror", None) or "cannot be read") from error
    return path


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` by way of a temporary file beside it."""
    with replaced_file(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    with reading(str(require_file(path)), "is no readable JSON"):
        return json.loads(path.read_text("utf-8"))


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if the block ends well."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        fresh.replace(path)
    except OSError as error:
        raise NmcError(str(path), f"cannot be written: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)
