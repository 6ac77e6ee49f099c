"""The frontend for lava-dl's `.net` files (HDF5)."""

from __future__ import annotations

from pathlib import Path

from nmcompile.frontends.interface import Frontend, Request, Traced

HDF5 = b"\x89HDF\r\n\x1a\n"


def claims(path: Path) -> bool:
    """True for an HDF5 file that holds numbered layers."""
    with path.open("rb") as file:
        if file.read(8) != HDF5:
            return False
    from nmcompile.frontends.lava_import.read import holds_layers

    return holds_layers(path)


def load(request: Request) -> Traced:
    """The network of a `.net` file; `expected` is empty, for the file holds nothing that runs."""
    from nmcompile.frontends.lava_import.request import load_request

    return load_request(request)


FRONTEND = Frontend(name="lava", claims=claims, accepts=lambda model: False, load=load)
