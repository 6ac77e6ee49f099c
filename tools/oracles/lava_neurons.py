"""Step Lava's neuron processes on given inputs, without a network.

    python lava_neurons.py CASES.json INPUTS.npz OUTPUT.npz

CASES.json  a list of {"process": "module:Class", "tag": "fixed_pt" or "floating_pt",
            "arguments": {...}, "variables": {...}, "ports": [...], "states": [...]}: arguments of
            the class, first values of variables that the class would compute from them, its input
            ports, and the states to record
INPUTS.npz  <number>/<port>, (steps, n) each
OUTPUT.npz  <number>/spikes and <number>/<state>, (steps, n)
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.run_configs import Loihi2SimCfg

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "loihi"))

import lava_runner

MODELS: dict[str, dict[type, type]] = {}  # by tag, what `lava_runner` found


class Fed:
    """An input port that gives the next row."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = iter(rows.astype(np.int32))

    def recv(self) -> np.ndarray:
        """What arrives in this step."""
        return next(self.rows)


class Kept:
    """An output port that keeps what is sent."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def send(self, values: np.ndarray) -> None:
        """Keep one step's spikes."""
        self.rows.append(np.array(values, np.int32))


def main() -> None:
    """Run the cases that the command line names."""
    cases, inputs, output = sys.argv[1:]
    given, records = np.load(inputs), {}
    for number, case in enumerate(json.loads(Path(cases).read_text())):
        rows = {port: given[f"{number}/{port}"] for port in case["ports"]}
        for name, values in run(case, rows).items():
            records[f"{number}/{name}"] = values
    np.savez(output, **records)


def run(case: dict[str, Any], rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Spikes and states of one process after each step."""
    module, name = case["process"].split(":")
    arguments = {key: np.array(value) if isinstance(value, list) else value
                 for key, value in case["arguments"].items()}
    arguments["shape"] = tuple(case["arguments"]["shape"])
    process = getattr(importlib.import_module(module), name)(**arguments)
    for variable, value in case["variables"].items():
        getattr(process, variable).init = value
    lava_runner.CONFIGURATION = Loihi2SimCfg(select_tag=case["tag"])
    lava_runner.MODELS = MODELS.setdefault(case["tag"], {})
    model, out = lava_runner.built(process), Kept()
    for port, values in rows.items():
        setattr(model, port, Fed(values))
    model.s_out = out
    kept: dict[str, list[np.ndarray]] = {state: [] for state in case["states"]}
    for _ in range(len(next(iter(rows.values())))):
        model.time_step += 1
        model.run_spk()
        for state, values in kept.items():
            values.append(np.array(getattr(model, state)))
    return {"spikes": np.array(out.rows),
            **{state: np.array(values) for state, values in kept.items()}}


if __name__ == "__main__":
    main()
