"""Entry points of installed distributions: what plugs in, by kind and name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nmcompile.errors import PluginError, hint_to_install, unknown_name


def plugin(kind: str, name: str) -> Any:
    """What is installed as `name` of a kind: backend, device, frontend, adapter, neuron or pass.

    Raises NmcError for an unknown name, PluginError for one that two distributions provide and for
    what does not load.
    """
    entries = _entries(kind)
    if name not in entries:
        raise unknown_name(kind, name, entries)
    return _loaded(entries[name])


def plugins(kind: str) -> dict[str, Any]:
    """All that is installed of a kind, by name, sorted; raises PluginError as `plugin`."""
    return {name: _loaded(entry) for name, entry in sorted(_entries(kind).items())}


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
