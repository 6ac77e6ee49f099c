"""What a run keeps of its populations, in memory or in a file as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from nmcompile.errors import RecordError, unknown_name
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array

SPIKES, ALL, WHERE = "spikes", "*", "--record"
MOST_IN_MEMORY = 4 << 30  # bytes
CHUNK = 64 << 10  # bytes that a file holds together, of one sample
Wanted = dict[str, tuple[str, ...]]
# Steps (samples,) that count of a population where samples stop early; None where they do not.
Ends = Callable[[str], Array] | None


def wanted(network: Network, record: tuple[str, ...]) -> Wanted:
    """The variables of each population that `record` names.

    Each entry is a list with commas: `v` is v of every population that has one, `hidden:v,u` are
    v and u of the population hidden, `*` in place of a population or of a variable stands for all.
    Raises NmcError where nothing of that name is there, and says what there is.
    """
    found: dict[str, list[str]] = {p.name: [] for p in network.populations}
    for entry in record:
        population = ALL
        for item in filter(None, (part.strip() for part in entry.split(","))):
            named, colon, variable = item.rpartition(":")
            population = named if colon else population
            for name, variables in _named(network, population, variable).items():
                found[name] += [v for v in variables if v not in found[name]]
    return {name: tuple(variables) for name, variables in found.items() if variables}


def _named(network: Network, population: str, variable: str) -> Wanted:
    if population != ALL and population not in {p.name for p in network.populations}:
        raise unknown_name(WHERE, population, (p.name for p in network.populations))
    among = {p.name: variables_of(p) for p in network.populations if population in (ALL, p.name)}
    if variable == ALL:
        return among
    having: Wanted = {name: (variable,) for name, known in among.items() if variable in known}
    if not having:
        raise unknown_name(WHERE if population == ALL else f"{WHERE} {population}", variable,
                           set().union(*among.values()))
    return having


def variables_of(population: Population) -> tuple[str, ...]:
    """What can be kept of a population: its spikes and the states of its neurons."""
    return (SPIKES, *population.neuron.state_names)


def kind_of(population: Population, variable: str) -> np.dtype[Any]:
    """Type of the numbers of a variable; those of states differ from chip to chip."""
    if variable == SPIKES:
        return np.dtype(np.int32)
    return population.neuron.initial_state((1, *population.shape))[variable].dtype


class Records(Protocol):
    """A place for variables, (samples, steps, *shape) of each population and variable.

    record  what is kept
    """

    record: Wanted

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """Make room for a run."""

    def begin(self, first: int) -> None:
        """The batch begins whose first sample is number `first`."""

    def add(self, population: str, step: int, sample: int, values: dict[str, Array]) -> None:
        """Keep what is wanted of `values`, (k, samples, n) each, of a population.

        step, sample  the first ones, of the network and of the batch

        Threads call it, each for samples of its own.
        """

    def flush(self, ends: Ends) -> None:
        """All samples of the batch have come to the same step of the chip."""

    def end(self, ends: Ends) -> None:
        """The batch is over."""


@dataclass(kw_only=True, eq=False)
class Memory:
    """Keeps them in arrays.

    values  population -> variable -> (samples, steps, *shape)
    """

    values: dict[str, dict[str, Array]] = field(default_factory=dict)
    record: Wanted = field(default_factory=dict)
    _first: int = 0

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """See `Records`. Raises NmcError where they are too large."""
        specs = [(network.population(name), v) for name, vs in record.items() for v in vs]
        size = sum(samples * steps * p.size * kind_of(p, v).itemsize for p, v in specs)
        if size > MOST_IN_MEMORY:
            raise RecordError(
                WHERE, f"is {size / 2**30:,.1f} GiB of variables, at most "
                f"{MOST_IN_MEMORY >> 30} GiB are kept in memory",
                "Name a file -o RUN.h5, which is written as the run goes on, or keep less.")
        self.record, self.values = record, {name: {} for name in record}
        for population, variable in specs:
            self.values[population.name][variable] = np.zeros(
                (samples, steps, *population.shape), kind_of(population, variable))

    def begin(self, first: int) -> None:
        """See `Records`."""
        self._first = first

    def add(self, population: str, step: int, sample: int, values: dict[str, Array]) -> None:
        """See `Records`."""
        for name, kept in self.values.get(population, {}).items():
            steps, samples, _ = values[name].shape
            first = self._first + sample
            kept[first : first + samples, step : step + steps] = values[name].swapaxes(
                0, 1).reshape(samples, steps, *kept.shape[2:])

    def flush(self, ends: Ends) -> None:
        """See `Records`."""

    def end(self, ends: Ends) -> None:
        """See `Records`."""
        if ends is None:
            return
        for population, variables in self.values.items():
            for sample, end in enumerate(ends(population)):
                for kept in variables.values():
                    kept[self._first + sample, end:] = 0


class RecordFile:
    """Keeps them in an HDF5 file, `<population>/<variable>`, written while the run goes on.

    Samples and steps that no run reached hold 0. The file is written in an order that does not
    depend on threads. Chunks are written once and whole, so that HDF5 keeps none of them.
    """

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "w", libver="v110", track_order=True, rdcc_nbytes=0)
        self.record: Wanted = {}
        self._kept: dict[str, _Kept] = {}
        self._arrived: list[tuple[str, int, int, Array]] = []

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """See `Records`."""
        self.record = record
        for name, variables in record.items():
            for variable in variables:
                self._kept[f"{name}/{variable}"] = _Kept(
                    self._file, network.population(name), variable, samples, steps)

    def begin(self, first: int) -> None:
        """See `Records`."""
        for kept in self._kept.values():
            kept.first = first

    def add(self, population: str, step: int, sample: int, values: dict[str, Array]) -> None:
        """See `Records`."""
        for variable in self.record.get(population, ()):
            self._arrived.append(
                (f"{population}/{variable}", sample, step, values[variable].copy()))

    def flush(self, ends: Ends) -> None:
        """See `Records`."""
        arrived, self._arrived = self._arrived, []
        for name, sample, step, values in sorted(arrived, key=lambda part: part[:3]):
            if ends is not None:
                end = ends(name.rpartition("/")[0])[sample : sample + values.shape[1]]
                values[np.arange(step, step + len(values))[:, None] >= end] = 0
            self._kept[name].add(sample, step, values)

    def end(self, ends: Ends) -> None:
        """See `Records`."""
        for kept in self._kept.values():
            kept.write_all()

    def close(self, arrays: dict[str, Array]) -> None:
        """Add `arrays` by name and close the file; nothing where it is closed."""
        for name, values in arrays.items():
            self._file.create_dataset(name, data=values)
        self._file.close()


class _Kept:
    """One variable in the file, and the steps that do not fill a chunk yet.

    first  number in the run of the batch's first sample
    """

    def __init__(
        self, file: Any, population: Population, variable: str, samples: int, steps: int
    ) -> None:
        kind = kind_of(population, variable)
        self.first, self._shape = 0, population.shape
        self._chunk = int(np.clip(CHUNK // (population.size * kind.itemsize), 1, steps))
        self._dataset = file.create_dataset(
            f"{population.name}/{variable}", (samples, steps, *population.shape), kind,
            chunks=(1, self._chunk, *population.shape), compression="gzip", compression_opts=1,
            shuffle=True)
        self._open: dict[int, tuple[int, list[Array]]] = {}  # sample -> step, what follows it

    def add(self, sample: int, step: int, values: Array) -> None:
        """Add (k, samples, n) that follow what was added for these samples before."""
        begin, parts = self._open.pop(sample, (step, []))
        parts.append(values)
        held, end = step + len(values) - begin, step + len(values)
        whole = end - end % self._chunk if end < self._dataset.shape[1] else end
        if whole > begin:
            joined = np.concatenate(parts)
            self._write(sample, begin, joined[: whole - begin])
            begin, parts = whole, [joined[whole - begin :]] if held > whole - begin else []
        if parts:
            self._open[sample] = begin, parts

    def write_all(self) -> None:
        """Write the steps that fill no chunk: no more follow."""
        for sample, (begin, parts) in sorted(self._open.items()):
            self._write(sample, begin, np.concatenate(parts))
        self._open = {}

    def _write(self, sample: int, step: int, values: Array) -> None:
        steps, samples, _ = values.shape
        first = self.first + sample
        self._dataset[first : first + samples, step : step + steps] = values.swapaxes(
            0, 1).reshape(samples, steps, *self._shape)
