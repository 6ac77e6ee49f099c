"""Build the layers beside this file with BrainChip's akida package, and run them.

    python akida_model.py input.npy output.npz [FOLDER [chip]]

input.npy   (samples, channels, height, width) uint8; a height of 1 in one dimension
output.npz  what each layer sends, by its name, (samples, channels, height, width)
FOLDER      of akida_layers.json and akida_layers.npz; default: that of this file
chip        map onto the AKD1000 of this machine, which tells what the last layer sends; default:
            akida's software backend
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import akida
import numpy as np

LAYERS = ("InputData", "InputConvolutional", "Convolutional", "SeparableConvolutional",
          "FullyConnected")
ENUMS = {"padding": akida.Padding, "pool_type": akida.PoolType}
BLOCK = 256  # samples that run at once


def described(folder: Path) -> list[dict[str, Any]]:
    """The layers in `folder`, in their order; ValueError for a type that is none."""
    layers: list[dict[str, Any]] = json.loads((folder / "akida_layers.json").read_text("utf-8"))
    strange = [layer["type"] for layer in layers if layer["type"] not in LAYERS]
    if strange:
        raise ValueError(f"{strange[0]} is no type of layer")
    return layers


def build(folder: Path, depth: int | None = None) -> Any:
    """The akida model of the first `depth` layers, or of all."""
    arrays = np.load(folder / "akida_layers.npz", allow_pickle=False)
    model = akida.Model()
    for layer in described(folder)[:depth]:
        arguments = {name: getattr(ENUMS[name], value) if name in ENUMS else value
                     for name, value in layer["arguments"].items()}
        model.add(getattr(akida, layer["type"])(name=layer["name"], **arguments))
    for layer in model.layers:
        for variable in layer.get_variable_names():
            if f"{layer.name}/{variable}" in arrays:
                layer.set_variable(variable, arrays[f"{layer.name}/{variable}"])
    return model


def run(folder: Path, values: Any, chip: bool = False) -> dict[str, Any]:
    """What each layer sends, or the last one alone where a `chip` runs them."""
    layers = described(folder)
    sent = {}
    for depth, layer in enumerate(layers, 1):
        if layer["type"] == "InputData" or (chip and depth < len(layers)):
            continue
        model = build(folder, depth)
        if chip:
            model.map(akida.devices()[0], hw_only=True)
        parts = []
        for first in range(0, len(values), BLOCK):
            given = values[first : first + BLOCK].transpose(0, 3, 2, 1)
            parts.append(model.forward(given).transpose(0, 3, 2, 1))
        sent[layer["name"]] = np.concatenate(parts)
        print(f"{depth} of {len(layers)} layers", flush=True)
    return sent


def main() -> None:
    """Run the samples of the file that the command line names."""
    given, output, *more = sys.argv[1:]
    folder = Path(more[0]) if more else Path(__file__).parent
    chip = more[1:] == ["chip"]
    if chip and not akida.devices():
        sys.exit("there is no AKD1000 on this machine")
    np.savez(output, **run(folder, np.load(given, allow_pickle=False), chip))


if __name__ == "__main__":
    main()
