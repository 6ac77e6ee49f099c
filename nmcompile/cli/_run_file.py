"""The file of a run: recorded variables and decisions as .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.api import VARIABLES
from nmcompile.errors import NmcError, unknown_name
from nmcompile.files import replaced_file
from nmcompile.report import decisions
from nmcompile.simulator import Run


def variables(record: str, output: Path | None) -> tuple[str, ...]:
    """The variables that --record names; spikes where only a run file was asked for."""
    names = tuple(name for name in record.split(",") if name)
    for name in names:
        if name not in VARIABLES:
            raise unknown_name("--record", name, VARIABLES)
    if names and output is None:
        raise NmcError("--record", "there is no file to keep the variables in", "Add -o RUN.npz.")
    return names or (("spikes",) if output is not None else ())


def save_run(run: Run, path: Path) -> None:
    """Write `<population>/<variable>` (samples, steps, ...), `decision` and `step_s`."""
    arrays: dict[str, Any] = {
        f"{population}/{name}": values
        for population, record in run.records.items()
        for name, values in record.items()
    }
    with replaced_file(path) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, decision=decisions(run), step_s=run.step_s, **arrays)
