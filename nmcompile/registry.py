"""Plug-ins of the kinds that the compiler's own stages ask for, built-in ones among them."""

from __future__ import annotations

from typing import Any

from nmcompile.backend import Backend
from nmcompile.device import Device
from nmcompile.frontends.interface import Frontend
from nmcompile.plugins import plugin, plugins


def backend(name: str) -> Backend:
    """The backend of the chip family `name`."""
    found: Backend = plugin("backend", name)
    return found


def device(name: str) -> Device:
    """A device of the kind `name`, not yet open."""
    made: Device = plugin("device", name)()
    return made


def frontends() -> tuple[Frontend, ...]:
    """Every frontend, sorted by name."""
    return tuple(plugins("frontend").values())


def extra_passes() -> dict[str, Any]:
    """Passes of other distributions, by name, sorted."""
    return plugins("pass")
