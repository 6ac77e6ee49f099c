"""Find targets by name or file, read and check them."""

from __future__ import annotations

import difflib
import json
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from nmcompile.errors import NmcError, reading, unknown_name
from nmcompile.files import require_file
from nmcompile.target.schema import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 128 << 10
MAX_DOTS = 200  # of one line: each in a key is a table in a table


def load_target(name: str) -> Target:
    """The target called `name` (installed) or in the file `name` (a path to a TOML file)."""
    path = Path(name)
    if path.suffix == ".toml" or "/" in name:
        return read_target(path)
    known = installed()
    if name not in known:
        raise unknown_name("target", name, known)
    return parse_target(known[name], f"{name}.toml")


def installed() -> dict[str, str]:
    """Text of every installed target file by the target's name, sorted.

    The packages come from the entry points of group `nmcompile.targets`; a package that does not
    import is an error and is not passed over.
    """
    found: dict[str, str] = {}
    for entry in sorted(entry_points(group="nmcompile.targets"), key=lambda e: (e.name, e.value)):
        for resource in files(entry.value).iterdir():
            if not resource.name.endswith(".toml"):
                continue
            name = resource.name.removesuffix(".toml")
            if name in found:
                raise NmcError(
                    f"target {name}",
                    f"two packages provide it, one is {entry.value}",
                    "Uninstall one of them.",
                )
            found[name] = resource.read_text("utf-8")
    return dict(sorted(found.items()))


def read_target(path: Path) -> Target:
    """The target in the TOML file `path`."""
    with require_file(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NmcError(str(path), f"a target file has at most {MAX_BYTES} bytes")
    try:
        return parse_target(data.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise NmcError(str(path), "is not a text file in UTF-8") from error


def parse_target(text: str, where: str) -> Target:
    """The target that `text` describes; `where` names it in messages.

    Raises NmcError with the file, the first wrong field, and what is expected there.
    """
    try:
        if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
            raise NmcError(where, f"has a line with more than {MAX_DOTS} dots")
        with reading(where, "is not TOML"):
            content = _as_json(text)
        return Target.model_validate_json(content)
    except ValidationError as error:
        raise _field_error(where, error) from error


def _as_json(text: str) -> str:
    return json.dumps(tomllib.loads(text), default=str)


def _field_error(where: str, error: ValidationError) -> NmcError:
    """The first wrong field in words; unknown fields come before missing ones."""
    found = error.errors(include_url=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        missing = [str(e["loc"][-1]) for e in found if e["type"] == "missing"]
        nearest = difflib.get_close_matches(str(first["loc"][-1]), missing, n=1)
        hint = f"Did you mean '{nearest[0]}'?" if nearest else ""
        return NmcError(f"{where}: {field}", "is not a field of a target file", hint)
    expected = first["msg"].replace("Value error, ", "")
    if not field:
        return NmcError(where, expected)
    given = "" if isinstance(first["input"], dict) else f", found {str(first['input'])[:40]!r}"
    return NmcError(f"{where}: {field}", f"{expected}{given}")
