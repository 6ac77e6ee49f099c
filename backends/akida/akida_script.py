"""Layers as files for BrainChip's akida package: a script, the layers in JSON, their arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.akida.arithmetic import STEP_UNIT
from nmcompile_backends.akida.layer import AkidaLayer, Kind, Pooling

from nmcompile.ir.neurons.base import Array

SCRIPT = Path(__file__).with_name("akida_runner.py")
MODEL, LAYERS, ARRAYS = "akida_model.py", "akida_layers.json", "akida_layers.npz"


def write_akida(layers: tuple[AkidaLayer, ...], input_bits: int, folder: Path) -> None:
    """Write `layers`, of which the first takes unsigned values of `input_bits`, to `folder`."""
    entries, arrays = [], dict[str, Array]()
    if layers[0].kind is not Kind.INPUT_CONVOLUTIONAL:
        arguments = {"input_shape": list(layers[0].in_shape[::-1]), "input_bits": input_bits}
        names, port = {layer.name for layer in layers}, "input"
        while port in names:
            port += "_"
        entries.append({"type": "InputData", "name": port, "arguments": arguments})
    for layer in layers:
        entries.append({"type": layer.kind.value, "name": layer.name,
                        "arguments": _arguments(layer)})
        arrays |= {f"{layer.name}/{name}": values for name, values in _variables(layer).items()}
    (folder / MODEL).write_text(SCRIPT.read_text("utf-8"), "utf-8")
    (folder / LAYERS).write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]


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
