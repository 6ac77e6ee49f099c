"""A Program as one HDF5 file: the same program gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import h5py
import numpy as np
from pydantic import TypeAdapter

from nmcompile.errors import NmcError, reading
from nmcompile.hdf5 import require_plain
from nmcompile.ir import Input, Network, Output, Population, Projection, SpikeFormat, SynapseFormat
from nmcompile.ir.maps import MAPS, Grid
from nmcompile.ir.neurons import FLOAT_NEURONS, Reset, ResetAt
from nmcompile.mapping.mapping import Axons, Faults, Mapping, Program, Slices
from nmcompile.mapping.verify import verify_program
from nmcompile.target import Target

FORMAT = "nmcompile-program-2"
VALUES = (
    Network,
    Input,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    Mapping,
    Slices,
    Axons,
    Faults,
    Grid,
    *MAPS,
    *FLOAT_NEURONS,
)
ENUMS: dict[str, type[Enum]] = {"Reset": Reset, "ResetAt": ResetAt}
TIMELESS = {"track_times": False}
OTHER = ("is not a program of this version", "Compile the model again.")


def save_program(program: Program, path: Path) -> None:
    """Write `program` to `path`."""
    with h5py.File(path, "w", libver="v110", track_order=True) as file:
        file.attrs["format"] = FORMAT
        file.attrs["target"] = program.target.model_dump_json()
        file.attrs["latency"] = json.dumps(program.latency)
        _write(file, "network", program.network)
        _write(file, "mapping", program.mapping)


def load_program(path: Path, neurons: tuple[type, ...]) -> Program:
    """The program in `path`; `neurons` are the integer neuron classes of its chip's backend."""
    classes = {cls.__name__: cls for cls in (*VALUES, *neurons)}
    try:
        with reading(str(path), *OTHER), h5py.File(path, "r") as file:
            require_plain(path, file)
            target = read_target_name(file, path)
            program = Program(
                network=_read(file["network"], classes),
                mapping=_read(file["mapping"], classes),
                target=target,
                latency={str(k): int(v) for k, v in json.loads(file.attrs["latency"]).items()},
            )
            return verify_program(program)
    except NmcError as error:
        place = error.where if error.where == str(path) else f"{path}: {error.where}"
        raise NmcError(place, error.what, OTHER[1]) from error


def program_family(path: Path) -> str:
    """The chip family of the program in `path`, without reading the rest of it."""
    with reading(str(path), *OTHER), h5py.File(path, "r") as file:
        return read_target_name(file, path).family


def read_target_name(file: h5py.File, path: Path) -> Target:
    """The target that a program file carries."""
    if file.attrs.get("format") != FORMAT:
        raise NmcError(str(path), f"is not a {FORMAT} file", "Compile the model again.")
    return Target.model_validate_json(file.attrs["target"])


def _write(parent: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        parent.create_dataset(name, data=value, **TIMELESS)
    elif isinstance(value, Enum):
        parent.attrs[name] = json.dumps({"enum": type(value).__name__, "value": value.value})
    elif is_dataclass(value):
        group = parent.create_group(name, track_order=True, **TIMELESS)
        group.attrs[":class"] = type(value).__name__
        for field in fields(value):
            _write(group, field.name, getattr(value, field.name))
    elif isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        group = parent.create_group(name, track_order=True, **TIMELESS)
        group.attrs[":items"] = len(value)
        for number, item in enumerate(value):
            _write(group, str(number), item)
    else:
        parent.attrs[name] = json.dumps(value)


def _read(node: h5py.Group, classes: dict[str, type]) -> Any:
    if isinstance(node, h5py.Dataset):
        if node.id.get_storage_size() != node.size * node.dtype.itemsize:
            raise ValueError(f"{node.name} claims more data than it has")
        if not node.dtype.isnative:
            raise ValueError(f"{node.name} is of another byte order")
        return np.asarray(node[()])
    if ":items" in node.attrs:
        return tuple(_read(node[str(i)], classes) for i in range(int(node.attrs[":items"])))
    cls = classes[node.attrs[":class"]]
    values = {name: _read(child, classes) for name, child in node.items()}
    for name, text in node.attrs.items():
        if name != ":class":
            values[name] = _plain(json.loads(text))
    _require_types(cls, values)
    return cls(**values)


def _require_types(cls: type, values: dict[str, Any]) -> None:
    """Raise where a field is not of its declared type; values inside it are verified later."""
    for name, hint in get_type_hints(cls).items():
        if name not in values:
            continue
        value = values[name]
        if get_origin(hint) is ClassVar or is_dataclass(value):
            continue
        if isinstance(value, tuple) and all(map(is_dataclass, value)):
            continue
        if any(map(is_dataclass, get_args(hint))):
            if value is not None:
                raise TypeError(f"{cls.__name__}.{name} is no group")
            continue
        if get_origin(hint) is np.ndarray:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{cls.__name__}.{name} is no array")
        else:
            with reading(f"{cls.__name__}.{name}"):
                _adapter(hint).validate_python(value, strict=True)


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"enum", "value"}:
        return ENUMS[value["enum"]](value["value"])
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value
