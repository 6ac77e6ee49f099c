"""All configuration files of a Loihi program."""

from __future__ import annotations

from pathlib import Path

from nmcompile.mapping import Program


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write the configuration of `program` into `folder`."""
    return {}
