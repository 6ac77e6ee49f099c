"""Names of what is installed, found without importing it: for shells, and for `nmc doctor`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

PREFIX = "nmcompile."  # of our groups of entry points
TARGETS = "nmcompile.targets"


def plugins() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of each of our groups, of every installed distribution, sorted."""
    found = entry_points()
    return {group: tuple(sorted(set(found.select(group=group)), key=lambda e: (e.name, e.value)))
            for group in sorted(found.groups) if group.startswith(PREFIX)}


def names(group: str) -> list[str]:
    """Names of the plug-ins of a group, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def target_names() -> list[str]:
    """Names of installed targets, sorted, without reading them.

    A package of targets that is not there has none here; `target.installed` is what raises.
    """
    return sorted({file.stem for entry in entry_points(group=TARGETS)
                   for folder in _folders(entry.value) for file in folder.glob("*.toml")})


def _folders(package: str) -> list[Path]:
    """Where a package lies, without importing it."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    return [] if spec is None else list(map(Path, spec.submodule_search_locations or ()))
