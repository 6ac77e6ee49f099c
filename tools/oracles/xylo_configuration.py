"""What Rockpool makes of configurations of Xylo, and what XyloSim runs with them.

    python tools/oracles/xylo_configuration.py FOLDER...

Each FOLDER holds `chip.txt` (xylo_a2, xylo_a3 or xylo_imu), `xylo.json` (a specification),
`xylo_configuration.json` (fields of samna's XyloConfiguration) and `input.npy` (steps, channels).
Two files come beside them: `rockpool.json`, every field that Rockpool's `config_from_specification`
fills from the specification, and `states.npz`, what XyloSim records when Rockpool's
`XyloSim.from_config` makes it from the configuration.

samna cannot be installed without SynSense's server: what takes its place here keeps the fields that
Rockpool writes, and nothing else.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import rockpool

ROOT = Path(rockpool.__file__).parent / "devices" / "xylo"
CHIPS = {  # our target -> Rockpool's folder, the one of its simulator, its helper for boards
    "xylo_a2": ("syns61201", "syns61201", "xa2_devkit_utils"),
    "xylo_a3": ("syns65302", "syns63300", "xa3_devkit_utils"),
    "xylo_imu": ("syns63300", "syns63300", "xylo_imu_devkit_utils"),
}
GROUPS = ("input", "reservoir", "hidden", "readout", "debug")


class Fields:
    """An object of samna: fields as they are assigned, its groups as objects of their own."""

    alias_target = None  # which neurons' own code reads where nothing was assigned

    def __getattr__(self, name: str) -> Any:
        if name not in GROUPS:
            raise AttributeError(name)
        setattr(self, name, Fields())
        return getattr(self, name)


class Anything(types.ModuleType):
    """A module with every name: modules, and classes of objects that keep their fields."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "validate_configuration":
            return lambda configuration: (True, "")
        if name[0].isupper():
            return type(name, (Fields,), {})
        whole = f"{self.__name__}.{name}"
        module = sys.modules.setdefault(whole, Anything(whole))
        module.__path__ = []
        return module


def install() -> None:
    """Put stand-ins where Rockpool looks for samna and for its helpers of boards."""
    samna = Anything("samna")
    samna.__path__ = []
    sys.modules["samna"] = samna
    for chip in ("xyloCore2", "xyloAudio3", "xyloImu"):
        _ = getattr(samna, chip).configuration
    for name in ("", ".syns61300", *{f".{folder}" for folder, _, _ in CHIPS.values()}):
        package = types.ModuleType(f"rockpool.devices.xylo{name}")
        package.__path__ = [str(ROOT / name.removeprefix("."))]
        sys.modules[package.__name__] = package
    for folder, _, helper in CHIPS.values():
        name = f"rockpool.devices.xylo.{folder}.{helper}"
        sys.modules[name] = Anything(name)


def plain(value: Any) -> Any:
    """Objects and arrays as what JSON has."""
    if isinstance(value, Fields):
        return {name: plain(field) for name, field in vars(value).items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def objects(value: Any) -> Any:
    """What JSON has as the objects that `from_config` reads; matrices as arrays."""
    if isinstance(value, dict):
        made = Fields()
        for name, field in value.items():
            array = name.endswith("weights")
            setattr(made, name, np.array(field) if array else objects(field))
        return made
    return [objects(entry) for entry in value] if isinstance(value, list) else value


def main() -> None:
    """Go through the folders that the command line names."""
    install()
    for folder in map(Path, sys.argv[1:]):
        home, simulator, _ = CHIPS[(folder / "chip.txt").read_text().strip()]
        given = json.loads((folder / "xylo.json").read_text())
        arguments = {name: np.array(value) if isinstance(value, list) else value
                     for name, value in given.items()}
        arguments["bias_hidden"] = arguments.pop("bias")
        module = importlib.import_module(f"rockpool.devices.xylo.{home}.xylo_samna")
        filled, _, _ = module.config_from_specification(**arguments)
        (folder / "rockpool.json").write_text(json.dumps(plain(filled)))
        ours = objects(json.loads((folder / "xylo_configuration.json").read_text()))
        xylo_sim = importlib.import_module(f"rockpool.devices.xylo.{simulator}.xylo_sim")
        made = xylo_sim.XyloSim.from_config(ours)
        output, _, recorded = made.evolve(np.load(folder / "input.npy"), record=True)
        np.savez(folder / "states.npz", Spikes_out=output, **recorded)


if __name__ == "__main__":
    main()
