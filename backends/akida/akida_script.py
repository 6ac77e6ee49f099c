"""Layers as files for BrainChip's akida package: a script, the layers in JSON, their arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.akida.arithmetic import STEP_UNIT
from nmcompile_backends.akida.layer import AkidaLayer, Kind, Pooling

from nmcompile.ir.neurons.base import Array

SCRIPT = '''"""Build the layers beside this file with the akida package, and run them.

    python akida_model.py input.npy output.npz

input.npy  (samples, channels, height, width) uint8
output.npz what each layer sends, by its name, (samples, channels, height, width)
"""

import json
import sys
from pathlib import Path

import akida
import numpy

ENUMS = {"padding": akida.Padding, "pool_type": akida.PoolType}


def build(folder, depth=None):
    """The akida model of the first `depth` layers, or of all."""
    layers = json.loads((folder / "akida_layers.json").read_text())[:depth]
    arrays = numpy.load(folder / "akida_layers.npz")
    model = akida.Model()
    for layer in layers:
        arguments = {name: getattr(ENUMS[name], value) if name in ENUMS else value
                     for name, value in layer["arguments"].items()}
        model.add(getattr(akida, layer["type"])(name=layer["name"], **arguments))
    for layer in model.layers:
        for variable in layer.get_variable_names():
            if f"{layer.name}/{variable}" in arrays:
                layer.set_variable(variable, arrays[f"{layer.name}/{variable}"])
    return model


def run(folder, values):
    """What each layer sends."""
    names = [layer["name"] for layer in json.loads((folder / "akida_layers.json").read_text())]
    sent = {}
    for depth, name in enumerate(names, 1):
        if name != "input":
            output = build(folder, depth).forward(values.transpose(0, 3, 2, 1))
            sent[name] = output.transpose(0, 3, 2, 1)
    return sent


if __name__ == "__main__":
    here = Path(__file__).parent
    numpy.savez(sys.argv[2], **run(here, numpy.load(sys.argv[1])))
'''


def write_akida(layers: tuple[AkidaLayer, ...], input_bits: int, folder: Path) -> None:
    """Write `layers`, of which the first takes unsigned values of `input_bits`, to `folder`."""
    entries, arrays = [], dict[str, Array]()
    if layers[0].kind is not Kind.INPUT_CONVOLUTIONAL:
        arguments = {"input_shape": list(layers[0].in_shape[::-1]), "input_bits": input_bits}
        entries.append({"type": "InputData", "name": "input", "arguments": arguments})
    for layer in layers:
        entries.append({"type": layer.kind.value, "name": layer.name,
                        "arguments": _arguments(layer)})
        arrays |= {f"{layer.name}/{name}": values for name, values in _variables(layer).items()}
    (folder / "akida_model.py").write_text(SCRIPT, "utf-8")
    (folder / "akida_layers.json").write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    np.savez(folder / "akida_layers.npz", **arrays)  # type: ignore[arg-type]


def _arguments(layer: AkidaLayer) -> dict[str, Any]:
    """The arguments of the layer's constructor."""
    common = {"weights_bits": layer.weight_bits, "activation": layer.neuron.activation,
              "act_bits": layer.neuron.act_bits}
    if layer.kind is Kind.FULLY_CONNECTED:
        return {**common, "units": len(layer.weight)}
    given = layer.weight if layer.pointwise is None else layer.pointwise
    pooled = layer.pooling is Pooling.MAX
    arguments = {
        **common,
        "kernel_size": list(layer.weight.shape[:1:-1]),
        "filters": len(given),
        "padding": "Same" if layer.same else "Valid",
        "kernel_stride": [layer.stride] * 2,
        "pool_type": layer.pooling.value,
        "pool_size": [layer.pool_size if pooled else -1] * 2,
        "pool_stride": [layer.pool_stride if pooled else -1] * 2,
    }
    if layer.kind is Kind.INPUT_CONVOLUTIONAL:
        arguments |= {"input_shape": list(layer.in_shape[::-1]), "padding_value": layer.padding}
    return arguments


def _variables(layer: AkidaLayer) -> dict[str, Array]:
    """The variables of the layer, in akida's layout (x, y, in, out)."""
    shape, channels = layer.out_shape, layer.out_shape[0]
    per_channel = {
        name: np.broadcast_to(values, shape).reshape(channels, -1)[:, 0]
        for name, values in (("threshold", layer.neuron.threshold),
                             ("act_step", layer.neuron.act_step))}
    weight = layer.weight
    if layer.kind is Kind.FULLY_CONNECTED:
        given = weight.T[None, None]
    else:
        # akida's layers convolve but for that of the input, which correlates
        turned = weight if layer.kind is Kind.INPUT_CONVOLUTIONAL else weight[:, :, ::-1, ::-1]
        swapped = layer.kind is Kind.SEPARABLE
        given = turned.transpose(3, 2, 0, 1) if swapped else turned.transpose(3, 2, 1, 0)
    arrays = {
        "weights": given,
        "threshold": per_channel["threshold"].astype(np.int32),
        "act_step": (per_channel["act_step"] / STEP_UNIT).astype(np.float32),
    }
    if layer.pointwise is not None:
        arrays["weights_pw"] = layer.pointwise.T[None, None]
    return {name: np.ascontiguousarray(values) for name, values in arrays.items()}
