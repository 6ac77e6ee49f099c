"""A Program as one HDF5 file: the same program gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from nmcompile.errors import FileKindError, NmcError, PluginError, reading
from nmcompile.hdf5 import require_sound
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    verify,
)
from nmcompile.ir.maps import MAPS, Grid
from nmcompile.ir.neurons import FLOAT_NEURONS, Reset, ResetAt
from nmcompile.mapping.mapping import Axons, Faults, Mapping, Program, Slices
from nmcompile.mapping.multicast.routing import Keys, Routing, Tables
from nmcompile.mapping.verify import verify_program
from nmcompile.plugins import plugins
from nmcompile.target import Target
from nmcompile.values_file import read_value, write_value

FORMAT, NETWORK = "nmcompile-program-2", "nmcompile-network-1"
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
    Routing,
    Keys,
    Tables,
    Grid,
    *MAPS,
    *FLOAT_NEURONS,
    Reset,
    ResetAt,
)
OTHER = ("is not a program of this version", "Compile the model again.")


def save_program(program: Program, path: Path) -> None:
    """Write `program` to `path`."""
    with h5py.File(path, "w", libver="v110", track_order=True) as file:
        file.attrs["format"] = FORMAT
        file.attrs["target"] = program.target.model_dump_json()
        file.attrs["latency"] = json.dumps(program.latency)
        write_value(file, "network", program.network)
        write_value(file, "mapping", program.mapping)


def save_network(network: Network, path: Path) -> None:
    """Write a network in real numbers to `path`."""
    with h5py.File(path, "w", libver="v110", track_order=True) as file:
        file.attrs["format"] = NETWORK
        write_value(file, "network", network)


def load_network(path: Path, neurons: tuple[type, ...] = ()) -> Network:
    """The network in real numbers in `path`; `neurons` as of `load_program`."""
    classes = _classes(neurons)
    with _opened(path) as file:
        if file.attrs.get("format") != NETWORK:
            raise FileKindError(str(path), f"is not a {NETWORK} file", OTHER[1])
        network: Network = verify(read_value(file["network"], classes))
        return network


def load_program(path: Path, neurons: tuple[type, ...]) -> Program:
    """The program in `path`; `neurons` are the neuron classes of its chip's backend."""
    classes = _classes(neurons)
    with _opened(path) as file:
        program = Program(
            network=read_value(file["network"], classes),
            mapping=read_value(file["mapping"], classes),
            target=read_target_name(file, path),
            latency={str(k): int(v) for k, v in json.loads(file.attrs["latency"]).items()},
        )
        return verify_program(program)


def program_family(path: Path) -> str:
    """The chip family of the program in `path`, without reading the rest of it."""
    with _opened(path) as file:
        return read_target_name(file, path).family


def _classes(neurons: tuple[type, ...]) -> dict[str, type]:
    """All that may be made, by name: ours, a backend's neurons, and those that are plugged in."""
    classes = {cls.__name__: cls for cls in (*VALUES, *neurons)}
    for name, cls in plugins("neuron").items():
        if not isinstance(cls, type):
            raise PluginError(f"neuron {name}", f"is a {type(cls).__name__}, expected a class",
                              "Uninstall it, or see docs/plugins/neuron.md.")
        if classes.setdefault(cls.__name__, cls) is not cls:
            raise PluginError(f"neuron {name}", f"its class is called {cls.__name__} as one of "
                              "nmcompile's is", "Give the class another name.")
    return classes


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file at `path`, once another process has read all of it; faults are named with it."""
    try:
        with reading(str(path), *OTHER):
            require_sound(path)
            with h5py.File(path, "r") as file:
                yield file
    except NmcError as error:
        place = error.where if error.where == str(path) else f"{path}: {error.where}"
        raise error.at(place, OTHER[1]) from error


def read_target_name(file: h5py.File, path: Path) -> Target:
    """The target that a program file carries."""
    if file.attrs.get("format") != FORMAT:
        raise FileKindError(str(path), f"is not a {FORMAT} file", "Compile the model again.")
    return Target.model_validate_json(file.attrs["target"])
