"""Read a NIR file, after looking at the sizes and links of everything in it."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np

from nmcompile.errors import ModelFileError, ParameterError, reading
from nmcompile.hdf5 import names_in

LARGEST = 1e15  # magnitude of a parameter; a network computes in 32-bit floats
WORDED = ("padding", "metadata", "input_type", "output_type")  # fields that may hold texts


def read_graph(path: Path) -> nir.NIRGraph:
    """The graph in `path`; NmcError where it is damaged, too large or points outside itself."""
    names_in(path)  # raises where the file would take this process down
    with reading(str(path), "is no readable NIR graph"):
        with np.errstate(all="ignore"):  # nir computes shapes; what comes of it is looked at below
            graph = nir.read(path, type_check=False)  # 1.0.8 refuses grouped and oblong kernels
    if not isinstance(graph, nir.NIRGraph):
        raise ModelFileError(str(path), f"holds a single {type(graph).__name__}, expected a graph")
    return graph


def require_numbers(graph: nir.NIRGraph, prefix: str = "") -> None:
    """Raise where a parameter of a node is an array of something else than finite numbers."""
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            require_numbers(node, f"{prefix}{name}.")
            continue
        for field, value in vars(node).items():
            if value is not None and field not in WORDED and not _is_sane(value):
                raise ParameterError(
                    f"{prefix}{name}", f"its {field} holds something else than numbers "
                    f"within {LARGEST:g}")


def _is_sane(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_sane, value))
    if not isinstance(value, np.ndarray | np.generic | int | float):
        return False
    numbers = np.asarray(value)
    return numbers.dtype.kind in "fiu" and bool(
        np.all(np.abs(numbers.astype(np.float64)) <= LARGEST))
