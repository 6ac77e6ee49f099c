"""Cycles of networks by Rockpool's own formula for Xylo.

    python tools/oracles/xylo_cycles.py NETWORKS.npz RESULTS.npz

NETWORKS.npz holds for each number i `i/chip` (a2 or imu), `i/weights_in`, `i/weights_rec` and
`i/weights_out` (sources, targets), `i/alias` (-1 for none), `i/input` and `i/hidden` (steps, n)
spike rasters. RESULTS.npz holds `i/cycles`, of the rasters, and `i/clock`, in Hz for steps of 1 ms.

The formula's modules ask for samna when they are imported, for the type of their arguments alone;
they take any object with a configuration's fields.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import rockpool

ROOT = Path(rockpool.__file__).parent / "devices" / "xylo"
CHIPS = {"a2": "syns61201", "imu": "syns63300"}  # Audio 3 shares the IMU's


def main() -> None:
    """Count for every network of the file that the command line names."""
    sys.modules["samna"] = _samna()
    models = {chip: _load(folder) for chip, folder in CHIPS.items()}
    data, results = np.load(sys.argv[1]), {}
    for number in sorted({key.split("/")[0] for key in data}):
        net = {key.split("/")[1]: data[key] for key in data if key.split("/")[0] == number}
        chip = str(net["chip"])
        model, configuration = models[chip], _configuration(net, chip)
        found = model.cycles_model(configuration, net["input"], net["hidden"])
        results[f"{number}/cycles"] = found[0] if chip == "a2" else found
        results[f"{number}/clock"] = model.est_clock_freq(configuration, 1e-3)
    np.savez(sys.argv[2], **results)


def _load(folder: str) -> ModuleType:
    path = ROOT / folder / "power_cycles_model.py"
    spec = importlib.util.spec_from_file_location(f"cycles_{folder}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _samna() -> ModuleType:
    samna = ModuleType("samna")
    for chip in ("xyloCore2", "xyloImu", "xyloAudio3"):
        configuration = SimpleNamespace(XyloConfiguration=object)
        setattr(samna, chip, SimpleNamespace(configuration=configuration))
    return samna


def _configuration(net: dict[str, np.ndarray], chip: str) -> SimpleNamespace:
    neurons = [SimpleNamespace(alias_target=int(a) if a >= 0 else None) for a in net["alias"]]
    hidden = SimpleNamespace(weights=net["weights_rec"], neurons=neurons)
    return SimpleNamespace(
        input=SimpleNamespace(weights=net["weights_in"]),
        readout=SimpleNamespace(weights=net["weights_out"]), synapse2_enable=False,
        **{"reservoir" if chip == "a2" else "hidden": hidden})


if __name__ == "__main__":
    main()
