"""The file of a run: recorded variables, decisions, times; .h5 is written as the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from nmcompile.errors import OptionError, RecordError
from nmcompile.files import replaced_file
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.report import decisions
from nmcompile.simulator import RecordFile, Run
from nmcompile.simulator.records import wanted

STREAMED, AT_ONCE = (".h5", ".hdf5"), (".npz",)
ALWAYS = ("decision", "step_s", "exit_steps")  # arrays beside the variables


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFile:
    """A run file that is not yet in its place.

    records  where variables go while the run goes on; None: they stay in memory until its end
    timed    whether the target knows how long steps take
    """

    fresh: Path
    records: RecordFile | None
    timed: bool = True

    def finish(self, run: Run) -> None:
        """Write what is not there yet: `decision`, `step_s`, and `exit_steps` where samples stop.

        `step_s` is left out where times are not known.

        Variables are `<population>/<variable>`, (samples, steps, ...).
        """
        arrays: dict[str, Array] = {"decision": decisions(run)}
        if self.timed:
            arrays["step_s"] = run.step_s
        if run.exits is not None:
            arrays["exit_steps"] = run.exits.steps
        assert set(arrays) <= set(ALWAYS)
        if self.records is not None:
            self.records.close(arrays)
            return
        for population, record in run.records.items():
            arrays |= {f"{population}/{name}": values for name, values in record.items()}
        with self.fresh.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def require_run_file(path: Path, network: Network, record: tuple[str, ...]) -> None:
    """Refuse a name of no kind of run file, and variables whose names a .h5 cannot hold.

    In HDF5 a name with / is a path: no array can be where another's path goes through. In .npz
    the names of variables, which end with / and one word, are all different.
    """
    if path.suffix.lower() not in (*STREAMED, *AT_ONCE):
        raise OptionError(str(path), f"ends with '{path.suffix}', expected .npz, .h5 or .hdf5")
    if not _is_streamed(path):
        return
    places = [(_place(name), f"'{name}'") for name in ALWAYS]
    places += [(_place(f"{population}/{variable}"), f"'{population}/{variable}'")
               for population, variables in wanted(network, record).items()
               for variable in variables]
    places.sort()  # what a path goes through, or meets, stands right before it
    hint = "Name a file -o RUN.npz, or another population."
    for place, name in places:
        if "." in place:
            raise RecordError(str(path), f"has no place for {name}: '.' is no name in HDF5", hint)
    for (before, one), (place, other) in pairwise(places):
        if place[: len(before)] == before:
            raise RecordError(str(path), f"has no place for {other} beside {one}", hint)


@contextmanager
def run_file(path: Path | None, *, timed: bool = True) -> Iterator[RunFile | None]:
    """A run file that takes the place of `path` if the block ends well, and leaves nothing else."""
    if path is None:
        yield None
        return
    with replaced_file(path) as fresh:
        records = RecordFile(fresh) if _is_streamed(path) else None
        try:
            yield RunFile(fresh=fresh, records=records, timed=timed)
        finally:
            if records is not None:
                records.close({})


def _is_streamed(path: Path) -> bool:
    return path.suffix.lower() in STREAMED


def _place(name: str) -> tuple[str, ...]:
    """Where HDF5 puts an array of this name, group by group."""
    return tuple(part for part in name.split("/") if part)
