"""The file of a run: recorded variables, decisions, times; .h5 is written as the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmcompile.files import replaced_file
from nmcompile.ir.neurons.base import Array
from nmcompile.report import decisions
from nmcompile.simulator import RecordFile, Run

STREAMED = (".h5", ".hdf5")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFile:
    """A run file that is not yet in its place.

    records  where variables go while the run goes on; None: they stay in memory until its end
    """

    fresh: Path
    records: RecordFile | None

    def finish(self, run: Run) -> None:
        """Write what is not there yet: `decision`, `step_s`, and `exit_steps` where samples stop.

        Variables are `<population>/<variable>`, (samples, steps, ...).
        """
        arrays: dict[str, Array] = {"decision": decisions(run), "step_s": run.step_s}
        if run.exits is not None:
            arrays["exit_steps"] = run.exits.steps
        if self.records is not None:
            self.records.close(arrays)
            return
        for population, record in run.records.items():
            arrays |= {f"{population}/{name}": values for name, values in record.items()}
        with self.fresh.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def run_file(path: Path | None) -> Iterator[RunFile | None]:
    """A run file that takes the place of `path` if the block ends well, and leaves nothing else."""
    if path is None:
        yield None
        return
    with replaced_file(path) as fresh:
        records = RecordFile(fresh) if path.suffix in STREAMED else None
        try:
            yield RunFile(fresh=fresh, records=records)
        finally:
            if records is not None:
                records.close({})
