"""Run networks on SynSense's XyloSim, through Rockpool's specification of them.

    python tools/oracles/xylo_run.py NETWORKS.npz RESULTS.npz

NETWORKS.npz holds for each number i `i/NAME` of every argument of Rockpool's
`XyloSim.from_specification` (arrays; `i/alias` in place of its lists), `i/chip` (a2 or imu) and
`i/input` (steps, channels). RESULTS.npz holds `i/NAME` of everything that XyloSim records.

Rockpool's package of devices asks for samna when it is imported, which cannot be installed
without SynSense's server; the simulators in it do not, so they are imported past it.
"""

from __future__ import annotations

import sys
import types
from collections import defaultdict
from pathlib import Path

import numpy as np
import rockpool

ROOT = Path(rockpool.__file__).parent
for _name in ("", ".syns61300", ".syns61201", ".syns63300"):
    _package = types.ModuleType(f"rockpool.devices.xylo{_name}")
    _package.__path__ = [str(ROOT / "devices" / "xylo" / _name.removeprefix("."))]
    sys.modules[_package.__name__] = _package

from rockpool.devices.xylo.syns61201.xylo_sim import XyloSim as XyloSimA2  # noqa: E402
from rockpool.devices.xylo.syns63300.xylo_sim import XyloSim as XyloSimImu  # noqa: E402

SIMULATORS = {"a2": XyloSimA2, "imu": XyloSimImu}  # Audio 3 shares the IMU's


def main() -> None:
    """Run the networks of the file that the command line names."""
    networks: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for key, value in np.load(sys.argv[1]).items():
        number, name = key.split("/")
        networks[number][name] = value
    results = {}
    for number, fields in networks.items():
        for name, values in simulate(fields).items():
            results[f"{number}/{name}"] = values
    np.savez(sys.argv[2], **results)


def simulate(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What XyloSim records of one network, (steps, neurons) each."""
    specification = {k: v if v.ndim else int(v) for k, v in fields.items()
                     if k not in ("chip", "input", "alias")}
    aliases = [[int(target)] if target >= 0 else [] for target in fields["alias"]]
    simulator = SIMULATORS[str(fields["chip"])].from_specification(
        **specification, aliases=aliases)
    output, _, recorded = simulator.evolve(fields["input"], record=True)
    return {"Spikes_out": output, **recorded}


if __name__ == "__main__":
    main()
