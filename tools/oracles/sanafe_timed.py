"""Time SANA-FE 2.2.9 on its DVS-gesture example, as its tutorial maps it.

    python sanafe_timed.py MODEL STEPS      MODEL is simple, detailed or cycle

Prints a line of JSON: its figures, seconds to build and load, seconds of the simulation (of the
clock, and of all processors), and the largest memory of the process in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.resources import files

import numpy as np
import sanafe
from sanafe_dvs import build, tutorial

KEPT = ("energy", "sim_time", "packets_sent", "neurons_fired", "neurons_updated", "spikes")


def main() -> None:
    """Run what the command line names."""
    model, steps = sys.argv[1], int(sys.argv[2])
    began = time.perf_counter()
    data = dict(np.load(str(files("sanafe") / "examples" / "dvs_challenge.npz")))
    architecture, network = sanafe.load_loihi(), sanafe.Network()
    layers = build(network, data)
    mapping, cores = tutorial(layers), architecture.cores()
    for i, layer in enumerate(layers):
        for neuron, core in zip(layer, mapping[f"core_{i}"], strict=True):
            neuron.map_to_core(cores[int(core)])
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    loaded, busy = time.perf_counter(), time.process_time()
    result = chip.sim(steps, timing_model=model)
    print(json.dumps({
        "model": model, "steps": steps, "load_s": loaded - began,
        "wall_s": time.perf_counter() - loaded, "cpu_s": time.process_time() - busy,
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **{name: result[name] for name in KEPT}}))


if __name__ == "__main__":
    main()
