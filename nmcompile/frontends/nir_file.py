"""The frontend for NIR: HDF5 files, and graphs of the nir package."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from nmcompile.errors import PackageError
from nmcompile.frontends.interface import Frontend, Request, Traced
from nmcompile.hdf5 import is_hdf5, names_in


def claims(path: Path) -> bool:
    """True for an HDF5 file that holds a NIR graph."""
    return is_hdf5(path) and "node" in names_in(path)


def accepts(model: object) -> bool:
    """True for a nir.NIRGraph."""
    if "nir" not in sys.modules:
        return False
    import nir

    return isinstance(model, nir.NIRGraph)


def load(request: Request) -> Traced:
    """The network of a NIR graph; `expected` is empty, for NIR holds nothing that runs."""
    import nir

    if "v_reset" not in {field.name for field in fields(nir.LIF)}:
        raise PackageError(str(request.path or "graph"), "reading NIR needs nir 1.0.8 or newer",
                           "pip install --upgrade nir")
    from nmcompile.frontends.nir_import.request import load_request

    return load_request(request)


FRONTEND = Frontend(name="nir", claims=claims, accepts=accepts, load=load)
