"""Plug-ins by name, from the entry points of every installed distribution."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nmcompile.backend import Backend
from nmcompile.device import Device
from nmcompile.errors import PluginError, hint_to_install, unknown_name
from nmcompile.frontends.interface import Frontend


def backend(name: str) -> Backend:
    """The backend of the chip family `name`."""
    found: Backend = _load("backend", name)
    return found


def device(name: str) -> Device:
    """A device of the kind `name`, not yet open."""
    made: Device = _load("device", name)()
    return made


def frontends() -> tuple[Frontend, ...]:
    """Every frontend, sorted by name."""
    return tuple(_loaded(entry) for entry in sorted(_entries("frontend").values()))


def extra_passes() -> dict[str, Any]:
    """Passes of other distributions, by name, sorted."""
    return {name: _loaded(entry) for name, entry in sorted(_entries("pass").items())}


def _load(kind: str, name: str) -> Any:
    entries = _entries(kind)
    if name not in entries:
        raise unknown_name(kind, name, entries)
    return _loaded(entries[name])


def _entries(kind: str) -> dict[str, EntryPoint]:
    group = "nmcompile.passes" if kind == "pass" else f"nmcompile.{kind}s"
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name in found and found[entry.name].value != entry.value:
            raise PluginError(
                f"{kind} {entry.name}",
                "two installed distributions provide it: "
                f"{found[entry.name].value} and {entry.value}",
                "Uninstall one of them.",
            )
        found[entry.name] = entry
    return found


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        where = f"plug-in {entry.name} ({entry.value})"
        raise PluginError(where, f"does not load: {error}", hint_to_install(error)) from error
