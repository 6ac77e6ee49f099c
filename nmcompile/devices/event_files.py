"""Lists of events as recordings: sample, step, population, neuron and payload of each spike."""

from __future__ import annotations

import csv
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from nmcompile.device import Recording, Wanted
from nmcompile.errors import DamagedFileError, FileSizeError, RecordedRunError, one_line, reading
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array

COLUMNS = ("sample", "step", "population", "neuron")
PAYLOAD = "payload"
MOST_EVENTS = 100_000_000  # of 40 bytes each in memory
MOST_BYTES = 4 << 30  # of a table
LONGEST_LINE = 4096  # characters
LIMIT = 2**31 - 1
SPIKES = "spikes"


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Spikes, one after the other in no order.

    populations  (k,) int64 number in the network; sample, step, neuron, payload  (k,) int64
    told         numbers of the populations that the file tells of
    """

    path: Path
    network: Network
    population: Array
    sample: Array
    step: Array
    neuron: Array
    payload: Array
    told: tuple[int, ...]

    @property
    def readable(self) -> Wanted:
        """The spikes of populations of which there is an event."""
        return {self.network.populations[i].name: (SPIKES,) for i in self.told}

    def require(self, first: int, samples: int, steps: int) -> None:
        """Raise NmcError where events end ahead of the last of some samples, or of their steps.

        A last sample in which nothing spikes cannot be told from one that was not recorded.
        """
        last = int(self.sample.max())
        if last < first + samples - 1:
            raise RecordedRunError(
                str(self.path), f"has its last event in sample {last:,}, samples {first:,} to "
                f"{first + samples - 1:,} are compared",
                f"If no more was recorded, give --samples {last - first + 1}." if last >= first
                else "Give another first-sample.")
        if last >= first + samples:
            warnings.warn(f"{self.path}: events of samples {first + samples:,} to {last:,} are not "
                          "looked at: the input ends before them", stacklevel=2)
        self._require_steps(first, samples, steps)

    def _require_steps(self, first: int, samples: int, steps: int) -> None:
        """Refuse events of some samples that are beyond their steps."""
        late = (self.sample >= first) & (self.sample < first + samples) & (self.step >= steps)
        if late.any():
            i = int(np.flatnonzero(late)[0])
            raise RecordedRunError(
                str(self.path), f"has an event in step {self.step[i]} of sample "
                f"{self.sample[i]}, the input has {steps:,} steps", "Give --steps.")

    def recording(self, first: int, samples: int, steps: int, wanted: Wanted) -> Recording:
        """Some samples; events beyond their steps are refused, samples without any are silent."""
        self._require_steps(first, samples, steps)
        here = (self.sample >= first) & (self.sample < first + samples)
        variables = {}
        for number, population in enumerate(self.network.populations):
            if population.name not in wanted:
                continue
            mine = here & (self.population == number)
            spikes = np.zeros((samples, steps, population.size), np.int64)
            np.add.at(spikes, (self.sample[mine] - first, self.step[mine], self.neuron[mine]),
                      self.payload[mine])
            if np.abs(spikes).max(initial=0) > LIMIT:
                raise RecordedRunError(str(self.path), "holds payloads whose sums leave 32 bits")
            variables[population.name] = {SPIKES: spikes.astype(np.int32).reshape(
                samples, steps, *population.shape)}
        return Recording(variables=variables)


def read_events(path: Path, arrays: dict[str, Array], network: Network) -> Events:
    """Events from the arrays sample, step, population, neuron and perhaps payload."""
    missing = [name for name in COLUMNS if name not in arrays]
    if missing:
        raise RecordedRunError(str(path), f"lacks {', '.join(missing)} of its events",
                               "An event is a sample, a step, a population and a neuron.")
    n = arrays["step"].size
    for name, values in arrays.items():
        if name in (*COLUMNS, PAYLOAD) and values.shape != (n,):
            raise RecordedRunError(str(path), f"{name} has shape {values.shape}, step has {(n,)}")
    numbers = {name: _whole(path, name, arrays[name]) for name in ("sample", "step", "neuron")}
    payload = (_whole(path, PAYLOAD, arrays[PAYLOAD]) if PAYLOAD in arrays
               else np.ones(n, np.int64))
    population = _numbers(path, arrays["population"], network)
    return _events(path, network, {**numbers, PAYLOAD: payload, "population": population})


def read_csv(path: Path, network: Network) -> Events:
    """Events from a table with a head that names sample, step, population, neuron[, payload]."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FileSizeError(
            str(path), f"holds {size:,} bytes, at most {MOST_BYTES:,} of a table are "
            "read", "Give it as .npz.")
    with reading(str(path), "is no readable table"), path.open(
            encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(_lines(path, file), strict=True)
        head = [name.strip().lower() for name in next(rows, [])]
        if not set(COLUMNS) <= set(head) <= {*COLUMNS, PAYLOAD} or len(head) != len(set(head)):
            raise RecordedRunError(
                str(path), f"has the columns {', '.join(head[:8]) or 'none'}, expected "
                f"{', '.join(COLUMNS)} and perhaps {PAYLOAD}")
        place = {p.name: i for i, p in enumerate(network.populations)}
        columns = {name: array("q") for name in head}
        for row in filter(None, rows):
            if len(row) > len(head):
                raise DamagedFileError(
                    str(path), f"line {rows.line_num} has {len(row)} columns, the head "
                    f"has {len(head)}")
            _add(path, rows.line_num, dict(zip(head, row, strict=False)), columns, place)
    arrays = {name: np.asarray(values, np.int64) for name, values in columns.items()}
    arrays.setdefault(PAYLOAD, np.ones(len(arrays["step"]), np.int64))
    return _events(path, network, arrays)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Lines of a sane length and number; of a longer one no more is read."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), ""), 1):
        if len(line) > LONGEST_LINE or number > MOST_EVENTS:
            raise DamagedFileError(str(path), f"line {number:,} is longer than {LONGEST_LINE:,} "
                                   f"characters, or one of more than {MOST_EVENTS:,}")
        yield line


def _add(
    path: Path, line: int, row: dict[str, str], columns: dict[str, array[int]],
    place: dict[str, int],
) -> None:
    """Add a row to `columns`."""
    for name, values in columns.items():
        text = row.get(name, "").strip()
        if name == "population" and (text in place or text in map(str, place.values())):
            values.append(place[text] if text in place else int(text))
            continue
        try:
            number = int(text)
        except ValueError:
            number = LIMIT + 1
        if name == "population" or not -LIMIT <= number <= LIMIT:
            raise DamagedFileError(
                str(path), f"line {line}: {name} is '{one_line(text[:40])}', expected "
                + (f"one of {', '.join(place)}, or its number from 0" if name == "population"
                   else "a whole number"))
        values.append(number)


def _events(path: Path, network: Network, arrays: dict[str, Array]) -> Events:
    """Events whose numbers are within the network."""
    sizes = np.array([p.size for p in network.populations])
    if len(arrays["step"]) == 0:
        raise RecordedRunError(str(path), "holds no event, so no population is told of")
    for name in ("sample", "step"):
        if arrays[name].min() < 0:
            raise RecordedRunError(
                str(path), f"holds {name} {arrays[name].min()}, expected 0 or more")
    wrong = (arrays["neuron"] < 0) | (arrays["neuron"] >= sizes[arrays["population"]])
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        population = network.populations[int(arrays["population"][i])]
        raise RecordedRunError(
            str(path), f"names neuron {arrays['neuron'][i]} of {population.name}, which "
            f"has {population.size:,}, from 0")
    told = tuple(int(i) for i in np.unique(arrays["population"]))
    _tell_doubled(path, arrays)
    return Events(path=path, network=network, told=told, **arrays)


def _tell_doubled(path: Path, arrays: dict[str, Array]) -> None:
    """Warn of spikes that are listed more than once: their payloads are added up."""
    order = np.lexsort([arrays[name] for name in COLUMNS])
    same = np.all([np.diff(arrays[name][order]) == 0 for name in COLUMNS], axis=0)
    if same.any():
        warnings.warn(f"{path}: {np.count_nonzero(same):,} events repeat sample, step, population "
                      "and neuron of another one; they count as further spikes of that step",
                      stacklevel=2)


def _whole(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind not in "iub" or (values.size and (
            values.min() < -LIMIT or values.max() > LIMIT)):
        raise RecordedRunError(
            str(path), f"{name} holds {values.dtype}, expected whole numbers of 32 bits")
    return values.astype(np.int64)


def _numbers(path: Path, given: Array, network: Network) -> Array:
    """Populations by name, or by their number in the network."""
    names = [p.name for p in network.populations]
    if given.dtype.kind == "U":
        found = np.full(len(given), -1)
        for number, name in enumerate(names):
            found[given == name] = number
    else:
        found = _whole(path, "population", given)
    if len(found) and (found.min() < 0 or found.max() >= len(names)):
        raise RecordedRunError(str(path), f"names populations that are none of {', '.join(names)}")
    return found
