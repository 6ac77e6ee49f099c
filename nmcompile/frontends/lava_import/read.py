"""Read the layers of a `.net` file as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nmcompile.errors import DamagedFileError, ModelSizeError, reading
from nmcompile.hdf5 import names_in
from nmcompile.ir.neurons.base import Array

MAX_LAYERS = 1000
LARGEST = 2**31  # magnitude of a number in a file of 24-bit states
Layer = dict[str, Any]  # name -> array, bytes as str; "neuron" holds another one


def read_layers(path: Path) -> list[Layer]:
    """The layers of `path` in their order; NmcError where it is damaged or holds no numbers."""
    names_in(path)  # raises where the file would take this process down
    with reading(str(path), "is no readable .net file"), h5py.File(path, "r") as file:
        group = file["layer"]
        if not 0 < len(group) <= MAX_LAYERS:
            raise ModelSizeError(
                str(path), f"holds {len(group)} layers; 1 to {MAX_LAYERS} are read")
        return [_values(f"layer {i}", group[str(i)]) for i in range(len(group))]


def numbers_of(where: str, layer: Layer, name: str, default: object = ()) -> Array:
    """The numbers `name` of a layer, `default` where it has none; NmcError for anything else."""
    found = layer.get(name)
    if found is not None and not isinstance(found, np.ndarray):
        raise DamagedFileError(where, f"its {name} holds no array of numbers")
    return np.asarray(default if found is None else found)


def _values(where: str, group: Any) -> Layer:
    values: Layer = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            values[name] = _values(f"{where} {name}", item)
            continue
        value = np.asarray(item[()])
        if value.dtype.kind in "SO" and value.size == 1:
            text = value.reshape(-1)[0]
            values[name] = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
        elif value.dtype.kind in "biuf" and np.all(np.abs(value.astype(np.float64)) < LARGEST):
            values[name] = value
        else:
            raise DamagedFileError(
                where, f"its {name} holds something else than numbers below {LARGEST:g}")
    return values
