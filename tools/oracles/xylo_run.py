"""Run networks on SynSense's XyloSim, through Rockpool's specification of them.

    python tools/oracles/xylo_run.py NETWORKS.npz RESULTS.npz

NETWORKS.npz holds for each number i `i/NAME` of every argument of Rockpool's
`XyloSim.from_specification` (arrays; `i/alias` in place of its lists), `i/chip` (a2 or imu) and
`i/input` (steps, channels). RESULTS.npz holds `i/NAME` of everything that XyloSim records. How,
says `backends/xylo/xylosim_runner.py`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "xylo"))

from xylosim_runner import simulate


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


if __name__ == "__main__":
    main()
