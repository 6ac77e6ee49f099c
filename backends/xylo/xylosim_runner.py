"""Run samples on SynSense's XyloSim; run by a Python that has rockpool 3.1 and xylosim 0.1.3.

    python xylosim_runner.py xylo.json CHIP INPUTS.npz OUTPUT.npz

xylo.json holds the arguments of Rockpool's `XyloSim.from_specification`, CHIP is a2 or imu (Audio 3
shares the IMU's simulator), INPUTS.npz holds `input` (samples, steps, channels). OUTPUT.npz holds
everything that XyloSim records, (samples, steps, neurons). A line on stdout for each sample that is
done.

Rockpool's package of devices asks for samna when it is imported, which cannot be installed
without SynSense's server; the simulators in it do not, so they are imported past it.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import rockpool

ROOT = Path(rockpool.__file__).parent
for _name in ("", ".syns61300", ".syns61201", ".syns63300"):
    _package = types.ModuleType(f"rockpool.devices.xylo{_name}")
    _package.__path__ = [str(ROOT / "devices" / "xylo" / _name.removeprefix("."))]
    sys.modules[_package.__name__] = _package

from rockpool.devices.xylo.syns61201.xylo_sim import XyloSim as XyloSimA2  # noqa: E402
from rockpool.devices.xylo.syns63300.xylo_sim import XyloSim as XyloSimImu  # noqa: E402

SIMULATORS = {"a2": XyloSimA2, "imu": XyloSimImu}


def main() -> None:
    """Run the samples of the file that the command line names."""
    described, chip, given, output = sys.argv[1:]
    values = json.loads(Path(described).read_text("utf-8"))
    fields = {name: np.array(v) for name, v in values.items()} | {"chip": np.array(chip)}
    fields["alias"] = np.full(len(fields["threshold"]), -1)
    parts: list[dict[str, Any]] = []
    with np.load(given, allow_pickle=False) as file:
        samples = file["input"]
    for sample in samples:
        parts.append(simulate({**fields, "input": sample}))
        print("done", flush=True)
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    np.savez(output, **found)  # type: ignore[arg-type]


def simulate(fields: dict[str, Any]) -> dict[str, Any]:
    """What XyloSim records of one network and input, (steps, neurons) each."""
    specification = {k: v if v.ndim else int(v) for k, v in fields.items()
                     if k not in ("chip", "input", "alias")}
    aliases = [[int(target)] if target >= 0 else [] for target in fields["alias"]]
    simulator = SIMULATORS[str(fields["chip"])].from_specification(
        **specification, aliases=aliases)
    output, _, recorded = simulator.evolve(fields["input"], record=True)
    return {"Spikes_out": output, **recorded}


if __name__ == "__main__":
    main()
