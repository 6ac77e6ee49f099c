"""Run files as recordings: arrays `<population>/<variable>` of (samples, steps, *shape)."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from nmcompile.device import Recording, Wanted
from nmcompile.errors import FileKindError, FileSizeError, RecordedRunError, reading
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array

MAX_BYTES = 4 << 30  # of all arrays that are read
EVENTS = ("sample", "step", "population", "neuron", "payload")
MEASURED = ("step_s", "sample_s", "energy_j")
ZIP = b"PK\x03\x04"
SPIKES = "spikes"
PREDICTED = "decision"  # beside it, seconds are those that `nmc simulate` predicts


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """Arrays of a run file.

    variables  population -> variable -> (samples, steps, *shape)
    measured   seconds and joules of samples and steps, by their names in Recording
    """

    path: Path
    variables: dict[str, dict[str, Array]]
    measured: dict[str, Array] = field(default_factory=dict)

    @property
    def readable(self) -> Wanted:
        """What the file holds."""
        return {name: tuple(variables) for name, variables in self.variables.items()}

    def require(self, first: int, samples: int, steps: int) -> None:
        """Raise NmcError where there are fewer samples, or of other steps."""
        any_ = next(iter(next(iter(self.variables.values())).values()))
        if any_.shape[0] < first + samples or any_.shape[1] != steps:
            raise RecordedRunError(
                str(self.path), f"holds {any_.shape[0]:,} samples of {any_.shape[1]:,} steps, "
                f"samples {first:,} to {first + samples:,} of {steps:,} steps were asked for",
                "Give the input that was recorded, its --steps, and --samples.")

    def recording(self, first: int, samples: int, steps: int, wanted: Wanted) -> Recording:
        """Some samples; NmcError where there are fewer, or of other steps."""
        self.require(first, samples, steps)
        chosen = slice(first, first + samples)
        return Recording(
            variables={name: {v: self.variables[name][v][chosen] for v in variables}
                       for name, variables in wanted.items()},
            boundary=f"as recorded in {self.path.name}" if self.measured else "",
            **{name: values[chosen] for name, values in self.measured.items()})


def read_arrays(path: Path, network: Network) -> Stored | dict[str, Array]:
    """The run file at `path`, or the columns of a list of events; nothing in it is executed."""
    with path.open("rb") as file:
        head = file.read(len(ZIP))
    if head != ZIP:
        raise FileKindError(str(path), "is no .npz file")
    with reading(str(path)):
        arrays, unknown = _load(path, network)
    if "step" in arrays or "neuron" in arrays:
        return arrays
    stored = _stored(path, arrays, network)
    if unknown:
        warnings.warn(f"{path}: {', '.join(unknown[:5])}{', ...' if unknown[5:] else ''} is not "
                      "looked at: this network has no such population or variable", stacklevel=2)
    return stored


def _load(path: Path, network: Network) -> tuple[dict[str, Array], list[str]]:
    """The arrays of the archive that a recording has, of a sane size, and names of others."""
    arrays: dict[str, Array] = {}
    size = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            if not _is_taken(name, network):
                continue
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                if version not in ((1, 0), (2, 0)):
                    raise FileKindError(
                        str(path), f"'{name}' is of version {version} of the format")
                read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                        else np.lib.format.read_array_header_2_0)
                shape, _, kind = read(file)
            size += prod(shape) * max(4, kind.itemsize)
            if kind.hasobject or size > MAX_BYTES:
                raise FileSizeError(str(path), f"'{name}' holds {kind} of shape {shape}, expected "
                                    f"numbers of at most {MAX_BYTES >> 30} GiB in all")
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        for name in file.files:
            if _is_taken(name, network):
                arrays[name] = file[name]
        unknown = [name for name in file.files if "/" in name and not _is_variable(name, network)]
    return arrays, unknown


def _is_taken(name: str, network: Network) -> bool:
    """Whether an array is one of those that a recording has."""
    return name in (*EVENTS, *MEASURED, PREDICTED) or _is_variable(name, network)


def _is_variable(name: str, network: Network) -> bool:
    """Whether `name` is <population>/<variable> of one that the network has."""
    owner, slash, variable = name.rpartition("/")
    return bool(slash) and any(
        owner == p.name and variable in (SPIKES, *p.neuron.state_names)
        for p in network.populations)


def _stored(path: Path, arrays: dict[str, Array], network: Network) -> Stored:
    variables: dict[str, dict[str, Array]] = {}
    extent = None
    for name, given in arrays.items():
        owner, slash, variable = name.rpartition("/")
        if not slash:
            continue
        population = network.population(owner)
        if given.ndim < 2 or given.shape[2:] not in (population.shape, (population.size,)):
            raise RecordedRunError(
                str(path), f"'{name}' has shape {given.shape}, expected (samples, "
                f"steps, {', '.join(map(str, population.shape))})")
        if extent not in (None, given.shape[:2]):
            raise RecordedRunError(str(path), f"'{name}' has {given.shape[:2]} samples and steps, "
                                   f"others have {extent}")
        extent = given.shape[:2]
        values = _spikes(path, name, given) if variable == SPIKES else _state(path, name, given)
        variables.setdefault(owner, {})[variable] = values.reshape(*extent, *population.shape)
    if not variables or extent is None:
        raise RecordedRunError(
            str(path), "tells of no population of this network, which has "
            f"{', '.join(p.name for p in network.populations)}",
            "Save arrays '<population>/spikes', or sample, step, population and neuron of events.")
    measured = {name: _measured(path, name, arrays[name], extent)
                for name in MEASURED if name in arrays and PREDICTED not in arrays}
    return Stored(path=path, variables=variables, measured=measured)


def _state(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind not in "iubf":
        raise RecordedRunError(str(path), f"'{name}' holds {values.dtype}, expected numbers")
    return values


def _spikes(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind not in "iub" and not (
            values.dtype.kind == "f" and np.array_equal(values, np.rint(values))):
        raise RecordedRunError(
            str(path), f"'{name}' holds {values.dtype} that are no whole numbers")
    if values.size and (values.min() < -(2**31) or values.max() >= 2**31):
        raise RecordedRunError(str(path), f"'{name}' holds spikes beyond 32 bits")
    return values.astype(np.int32)


def _measured(path: Path, name: str, values: Array, extent: tuple[int, int]) -> Array:
    """Seconds or joules; steps of the chip may be more than the network's."""
    good = values.dtype.kind in "fiu" and values.ndim == (2 if name == "step_s" else 1)
    if not good or len(values) != extent[0] or not np.all(np.isfinite(values)) or (
            values.min(initial=0) < 0):
        raise RecordedRunError(
            str(path), f"'{name}' has shape {values.shape} of {values.dtype}, expected "
            "finite numbers of 0 or more for each sample")
    return values.astype(np.float64)
