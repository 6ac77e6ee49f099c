"""What a run keeps of its populations, in memory or in a file as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from nmcompile.errors import NmcError, unknown_name
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array

SPIKES, ALL, WHERE = "spikes", "*", "--record"
MOST_IN_MEMORY = 4 << 30  # bytes
CHUNK = 64 << 10  # bytes that a file holds together, of one sample
Wanted = dict[str, tuple[str, ...]]


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
    """A place for variables, (samples, steps, *shape) of each population and variable."""

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """Make room for a run."""

    def begin(self, first: int, samples: int) -> None:
        """The batch of `samples` begins whose first sample is number `first`."""

    def add(self, population: str, step: int, rows: Array, values: dict[str, Array]) -> None:
        """Keep what is wanted of one step of a population; rows are places in the batch."""

    def end(self) -> None:
        """The batch is over."""


@dataclass(kw_only=True, eq=False)
class Memory:
    """Keeps them in arrays.

    values  population -> variable -> (samples, steps, *shape)
    """

    values: dict[str, dict[str, Array]] = field(default_factory=dict)
    _first: int = 0

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """See `Records`. Raises NmcError where they are too large."""
        specs = [(network.population(name), v) for name, vs in record.items() for v in vs]
        size = sum(samples * steps * p.size * kind_of(p, v).itemsize for p, v in specs)
        if size > MOST_IN_MEMORY:
            raise NmcError(
                WHERE, f"is {size / 2**30:,.1f} GiB of variables, at most "
                f"{MOST_IN_MEMORY >> 30} GiB are kept in memory",
                "Name a file -o RUN.h5, which is written as the run goes on, or keep less.")
        self.values = {name: {} for name in record}
        for population, variable in specs:
            self.values[population.name][variable] = np.zeros(
                (samples, steps, *population.shape), kind_of(population, variable))

    def begin(self, first: int, samples: int) -> None:
        """See `Records`."""
        self._first = first

    def add(self, population: str, step: int, rows: Array, values: dict[str, Array]) -> None:
        """See `Records`."""
        for name, kept in self.values.get(population, {}).items():
            kept[self._first + rows, step] = values[name].reshape(len(rows), *kept.shape[2:])

    def end(self) -> None:
        """See `Records`."""


class RecordFile:
    """Keeps them in an HDF5 file, `<population>/<variable>`, written while the run goes on.

    Samples and steps that no run reached hold 0.
    """

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "w", libver="v110", track_order=True)
        self._waiting: dict[str, list[_Waiting]] = {}

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """See `Records`."""
        for name, variables in record.items():
            population = network.population(name)
            self._waiting[name] = [
                _Waiting(self._file, population, variable, samples, steps)
                for variable in variables]

    def begin(self, first: int, samples: int) -> None:
        """See `Records`."""
        for waiting in chain.from_iterable(self._waiting.values()):
            waiting.begin(first, samples)

    def add(self, population: str, step: int, rows: Array, values: dict[str, Array]) -> None:
        """See `Records`."""
        for waiting in self._waiting.get(population, ()):
            waiting.add(step, rows, values[waiting.variable])

    def end(self) -> None:
        """See `Records`."""
        for waiting in chain.from_iterable(self._waiting.values()):
            waiting.write()

    def close(self, arrays: dict[str, Array]) -> None:
        """Add `arrays` by name and close the file; nothing where it is closed."""
        for name, values in arrays.items():
            self._file.create_dataset(name, data=values)
        self._file.close()


class _Waiting:
    """Steps of one variable that are not yet in the file: as many as a chunk holds."""

    def __init__(
        self, file: Any, population: Population, variable: str, samples: int, steps: int
    ) -> None:
        kind = kind_of(population, variable)
        self.variable, self._steps = variable, steps
        self._chunk = int(np.clip(CHUNK // (population.size * kind.itemsize), 1, steps))
        self._dataset = file.create_dataset(
            f"{population.name}/{variable}", (samples, steps, *population.shape), kind,
            chunks=(1, self._chunk, *population.shape), compression="gzip", compression_opts=1,
            shuffle=True)
        self._values = np.zeros((0, self._chunk, prod(population.shape)), kind)
        self._first, self._step, self._held = 0, 0, 0

    def begin(self, first: int, samples: int) -> None:
        self._first, self._step, self._held = first, 0, 0
        self._values = np.zeros((samples, *self._values.shape[1:]), self._values.dtype)

    def add(self, step: int, rows: Array, values: Array) -> None:
        self._step, self._held = step - step % self._chunk, step % self._chunk + 1
        self._values[rows, self._held - 1] = values
        if self._held == self._chunk or step == self._steps - 1:
            self.write()

    def write(self) -> None:
        if not self._held:
            return
        samples, shape = len(self._values), self._dataset.shape[2:]
        self._dataset[self._first : self._first + samples, self._step : self._step + self._held] = (
            self._values[:, : self._held].reshape(samples, self._held, *shape))
        self._values[:] = 0
        self._held = 0
