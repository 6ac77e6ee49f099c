"""The frontend for lava-dl's `.net` files (HDF5)."""

from __future__ import annotations

from pathlib import Path

from nmcompile.frontends.interface import Frontend, Request, Traced
from nmcompile.hdf5 import is_hdf5, names_in


def claims(path: Path) -> bool:
    """True for an HDF5 file that holds numbered layers."""
    return is_hdf5(path) and "layer" in names_in(path)


def load(request: Request) -> Traced:
    """The network of a `.net` file; `expected` is empty, for the file holds nothing that runs."""
    from nmcompile.frontends.lava_import.request import load_request

    return load_request(request)


FRONTEND = Frontend(name="lava", claims=claims, accepts=lambda model: False, load=load)
