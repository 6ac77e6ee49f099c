"""TOML text into a checked model: the first wrong field is named, with what is expected there."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nmcompile.errors import FileKindError, FileSizeError, NmcError, TomlError, reading
from nmcompile.files import require_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 128 << 10
MAX_DOTS = 200  # of one line: each in a key is a table in a table
M = TypeVar("M", bound=BaseModel)


def read_toml(path: Path, model: type[M], what: str) -> M:
    """The file `path` as `model`; `what` says in messages what kind of file it is."""
    with require_file(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FileSizeError(str(path), f"a {what} has at most {MAX_BYTES} bytes")
    try:
        return parse_toml(data.decode("utf-8"), model, str(path), what)
    except UnicodeDecodeError as error:
        raise FileKindError(str(path), "is not a text file in UTF-8") from error


def parse_toml(text: str, model: type[M], where: str, what: str) -> M:
    """`text` as `model`; `where` names it in messages.

    Raises NmcError with the file, the first wrong field, and what is expected there.
    """
    try:
        if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
            raise TomlError(where, f"has a line with more than {MAX_DOTS} dots")
        with reading(where, "is not TOML", kind=TomlError):
            content = json.dumps(tomllib.loads(text), default=str)
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _field_error(where, what, error) from error


def _field_error(where: str, what: str, error: ValidationError) -> NmcError:
    """The first wrong field in words; unknown fields come before missing ones."""
    found = error.errors(include_url=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        missing = [str(e["loc"][-1]) for e in found if e["type"] == "missing"]
        nearest = difflib.get_close_matches(str(first["loc"][-1]), missing, n=1)
        hint = f"Did you mean '{nearest[0]}'?" if nearest else ""
        return TomlError(f"{where}: {field}", f"is not a field of a {what}", hint)
    expected = first["msg"].replace("Value error, ", "")
    if not field:
        return TomlError(where, expected)
    given = "" if isinstance(first["input"], dict) else f", found {str(first['input'])[:40]!r}"
    return TomlError(f"{where}: {field}", f"{expected}{given}")
